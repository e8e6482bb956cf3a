//! The filter of an endpoint, built by choosing values of an event that happened.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::Right;
use orquiva_core::event::Pattern;
use orquiva_core::webhook::Filter;
use serde_json::{Map, Value, json};

use super::endpoint::{Endpoint, find};
use super::terms::faults_of;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Events of the end of the log that are looked at: from these one is chosen, and on these the filter is tried.
const LOOKED: i64 = 200;

/// A value of an event that can be chosen, or what stands around one.
#[derive(Clone, Debug)]
struct Leaf {
    /// How far it is moved in.
    depth: usize,
    /// The name, as JSON.
    name: String,
    /// Where it is: `data.department`; empty if it cannot be chosen.
    path: String,
    /// The value, as JSON.
    value: String,
    /// Whether it is chosen.
    is_chosen: bool,
}

/// One path and value that is chosen and does not stand in the event that is shown.
#[derive(Clone, Debug)]
struct Other {
    path: String,
    value: String,
}

/// What is chosen: paths and values, each pair once.
type Chosen = BTreeSet<(String, String)>;

fn chosen_by(endpoint: &Endpoint) -> Chosen {
    let paths = endpoint.0["filter"].as_object().into_iter().flatten();
    let pairs = paths.flat_map(|(path, values)| {
        let values = values.as_array().into_iter().flatten();
        values.map(|value| (path.clone(), value.to_string()))
    });
    pairs.collect()
}

/// The pairs of a form: the path, a tab, and the value as JSON, which has no tab in it.
fn chosen_in(form: &Form) -> Chosen {
    let pair = |text: &str| {
        let (path, value) = text.rsplit_once('\t')?;
        Some((path.trim().to_owned(), value.trim().to_owned()))
    };
    form.all("pick").filter_map(pair).collect()
}

/// As the API has it.
fn told(chosen: &Chosen) -> Map<String, Value> {
    let mut filter: Map<String, Value> = Map::new();
    for (path, value) in chosen {
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        match filter.entry(path.clone()).or_insert_with(|| json!([])) {
            Value::Array(values) => values.push(value),
            other => *other = json!([value]),
        }
    }
    filter
}

/// The lines of an event: what can be chosen is what a filter can look at.
fn leaves(event: &Value, chosen: &Chosen) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for name in ["type", "actor", "changed", "data", "previous"] {
        if let Some(value) = event.get(name) {
            walk(&mut leaves, chosen, 0, name, name.to_owned(), value);
        }
    }
    leaves
}

fn walk(leaves: &mut Vec<Leaf>, chosen: &Chosen, depth: usize, name: &str, path: String, value: &Value) {
    let mut line = |name: String, path: String, value: String| {
        let is_chosen = chosen.contains(&(path.clone(), value.clone()));
        leaves.push(Leaf { depth, name, path, value, is_chosen });
    };
    let named = json!(name).to_string();
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            line(named, String::new(), String::new());
            for (name, value) in fields {
                walk(leaves, chosen, depth + 1, name, format!("{path}.{name}"), value);
            }
        }
        Value::Array(entries) => {
            let plain = entries.iter().filter(|entry| !entry.is_object() && !entry.is_array());
            for entry in plain {
                line(named.clone(), path.clone(), entry.to_string());
            }
        }
        Value::Object(_) => {}
        plain => line(named, path, plain.to_string()),
    }
}

#[derive(Template)]
#[template(path = "webhooks/filter.html")]
struct FilterPage {
    page: Page,
    endpoint: Endpoint,
    etag: String,
    /// The events that one may choose from: id, type and place in the log.
    events: Vec<(String, String, i64)>,
    /// The one that is shown.
    shown: String,
    leaves: Vec<Leaf>,
    others: Vec<Other>,
    /// Of the last events that it is subscribed to, how many would come, and how many these are.
    matching: usize,
    tried: usize,
    faults: Faults,
    is_empty: bool,
}

/// The last events of the log that the endpoint is subscribed to, the newest first.
async fn recent(console: &Console, member: &Member, endpoint: &Endpoint) -> Result<Vec<Value>, Stop> {
    let last = {
        let tx = console.store.read().await?;
        orquiva_store::event::log(&tx, member.company.id).await?
    };
    let after = (last.last - LOOKED).max(last.expired);
    let path = format!("/events?after={after}&limit={LOOKED}");
    let found = console.inside.read(member.reads(), &path).await?.body;
    let patterns: Vec<_> =
        endpoint.events().into_iter().filter_map(|text| Pattern::parse(text).ok()).collect();
    let wanted = |event: &&Value| {
        let kind = event["type"].as_str().unwrap_or_default();
        kind != "webhook.test" && patterns.iter().any(|pattern| pattern.matches(kind))
    };
    Ok(found["data"].as_array().into_iter().flatten().filter(wanted).rev().cloned().collect())
}

async fn page(
    console: &Console,
    member: &Member,
    (endpoint, etag): (Endpoint, String),
    event: &str,
    chosen: &Chosen,
    faults: Faults,
) -> Result<FilterPage, Stop> {
    let events = recent(console, member, &endpoint).await?;
    let shown = events.iter().find(|one| one["id"] == event).or(events.first());
    let leaves = shown.map(|event| leaves(event, chosen)).unwrap_or_default();
    let is_shown =
        |path: &str, value: &str| leaves.iter().any(|leaf| leaf.path == path && leaf.value == value);
    let others = chosen.iter().filter(|(path, value)| !is_shown(path, value));
    let others = others.map(|(path, value)| Other { path: path.clone(), value: value.clone() }).collect();
    let filter = Filter::stored(&Value::Object(told(chosen)).to_string());
    let meets = |event: &&Value| {
        let kind = event["type"].as_str().unwrap_or_default();
        filter.as_ref().is_none_or(|filter| filter.matches(kind, event))
    };
    let named = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        (text("id"), text("type"), event["sequence"].as_i64().unwrap_or_default())
    };
    Ok(FilterPage {
        page: Page::of(member, Some(Here::Webhooks), ("Filtro", "Filter")),
        shown: shown.and_then(|event| event["id"].as_str()).unwrap_or_default().to_owned(),
        matching: events.iter().filter(meets).count(),
        tried: events.len(),
        events: events.iter().take(25).map(named).collect(),
        is_empty: chosen.is_empty(),
        endpoint,
        etag,
        leaves,
        others,
        faults,
    })
}

/// The form, on the event that was asked for or on the last one.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let found = find(&console, &member, &id).await?;
    let chosen = chosen_by(&found.0);
    let event = asked.get("event").map(String::as_str).unwrap_or_default();
    Ok(html(&page(&console, &member, found, event, &chosen, Faults::default()).await?))
}

/// Tries what was chosen on the last events, or saves it.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let found = find(&console, &member, &id).await?;
    let chosen = if form.has("clear") { Chosen::new() } else { chosen_in(&form) };
    let event = form.text("event").to_owned();
    if !form.has("save") {
        let (endpoint, _) = found;
        let found = (endpoint, form.text("etag").to_owned());
        return Ok(html(&page(&console, &member, found, &event, &chosen, Faults::default()).await?));
    }
    let mut filter = told(&chosen);
    for (path, _) in chosen_by(&found.0) {
        filter.entry(path).or_insert(Value::Null);
    }
    let body = match chosen.is_empty() {
        true => json!({ "filter": null }),
        false => json!({ "filter": filter }),
    };
    let who = member.does(Act::new("webhook.updated", found.0.id()).from(found.0.0.clone()));
    let (path, headers) = (format!("/webhooks/{}", found.0.id()), [("if-match", form.text("etag"))]);
    match console.inside.write(who, Method::PATCH, &path, &headers, Some(&body)).await {
        Ok(_) => {
            let next = format!("/admin/webhooks/{}?said=webhook-changed", found.0.id());
            Ok(Redirect::to(&next).into_response())
        }
        Err(error) if error.status() == 404 => Err(error.into()),
        Err(error) => {
            let faults = faults_of(&error, member.guest.language);
            Ok(refused(&page(&console, &member, found, &event, &chosen, faults).await?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_of_an_event_is_a_filter_that_meets_it() {
        let event = json!({
            "id": "evt_1", "type": "employee.updated", "actor": { "type": "client", "id": "cli_1" },
            "changed": ["department", "email"],
            "data": { "department": "Ventas", "version": 7, "managerId": null, "external_refs": { "a.b": "1" }, "customFields": {} },
        });
        let all = leaves(&event, &Chosen::new());
        let pairs: Chosen = all
            .iter()
            .filter(|leaf| !leaf.path.is_empty())
            .map(|leaf| (leaf.path.clone(), leaf.value.clone()))
            .collect();
        assert!(pairs.contains(&("data.external_refs.a.b".to_owned(), "\"1\"".to_owned())));
        assert!(pairs.contains(&("changed".to_owned(), "\"email\"".to_owned())));
        for pair in &pairs {
            let chosen = Chosen::from([pair.clone()]);
            let filter = Filter::stored(&Value::Object(told(&chosen)).to_string()).expect("a path");
            assert!(filter.matches("employee.updated", &event), "{pair:?}");
            assert_eq!(leaves(&event, &chosen).iter().filter(|leaf| leaf.is_chosen).count(), 1);
        }
    }
}
