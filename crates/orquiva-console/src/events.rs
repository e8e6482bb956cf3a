//! `/admin/events`: what happened in the company, the newest first.

pub(crate) mod detail;
mod lines;

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use orquiva_core::event::Types;
use orquiva_core::{Right, Timestamp};
use orquiva_store::event::Event;
use orquiva_store::event::back::{self, Page as Part};
use serde_json::Value;

use crate::console::Console;
use crate::member::Member;
use crate::page::{Here, Page, html};
use crate::show::{Faults, utc};
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Events on a page.
const MOST: i64 = 50;

/// An event in the list.
struct Line {
    id: String,
    kind: String,
    sequence: i64,
    at: Timestamp,
    /// Of whom or what it tells: a name, and the id.
    name: String,
    subject: String,
    /// The fields that changed.
    changed: Vec<String>,
    /// `client`, `user` or `system`.
    actor: String,
}

impl Line {
    fn of(event: &Event, sees_all: bool) -> Self {
        let told: Value = serde_json::from_str(&event.seen(sees_all)).unwrap_or_default();
        let data = &told["data"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let names = ["fullName", "name", "description", "url"];
        let name = names.iter().map(|name| text(&data[*name])).find(|name| !name.is_empty());
        let changed = told["changed"].as_array().into_iter().flatten();
        Self {
            id: event.id.to_string(),
            kind: event.kind.clone(),
            sequence: event.sequence,
            at: event.created_at,
            name: name.unwrap_or_default(),
            subject: text(&data["id"]),
            changed: changed.filter_map(Value::as_str).map(str::to_owned).collect(),
            actor: text(&told["actor"]["type"]),
        }
    }
}

/// What is asked of the log.
#[derive(Clone, Debug, Default)]
struct Search {
    kind: String,
    subject: String,
    from: String,
    to: String,
    before: Option<i64>,
}

impl Search {
    fn read(asked: &HashMap<String, String>) -> Self {
        let text = |name: &str| asked.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        Self {
            kind: text("type"),
            subject: text("subject"),
            from: text("from"),
            to: text("to"),
            before: text("before").parse().ok(),
        }
    }

    /// What the store looks for, with what is wrong with it.
    fn told(&self, page: &Page) -> (back::Search, Faults) {
        let mut faults = Faults::default();
        let mut moment = |name: &str, text: &str| {
            let at = utc(text);
            if at.is_none() && !text.is_empty() {
                faults.add(name, page.t("No es una fecha con hora.", "It is no date with a time."));
            }
            at
        };
        let (from, to) = (moment("from", &self.from), moment("to", &self.to));
        let search = back::Search {
            types: Types::parse(&self.kind).ok(),
            subject: (!self.subject.is_empty()).then(|| self.subject.clone()),
            from,
            to,
        };
        (search, faults)
    }

    /// The query of the page that goes on before a place.
    fn next(&self, before: i64) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let Self { kind, subject, from, to, .. } = self;
        for (name, value) in [("type", kind), ("subject", subject), ("from", from), ("to", to)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.append_pair("before", &before.to_string()).finish()
    }

    fn is_narrow(&self) -> bool {
        [&self.kind, &self.subject, &self.from, &self.to].iter().any(|text| !text.is_empty())
    }
}

#[derive(Template)]
#[template(path = "events/list.html")]
struct ListPage {
    page: Page,
    search: Search,
    faults: Faults,
    lines: Vec<Line>,
    next: Option<String>,
}

impl ListPage {
    fn patterns(&self) -> Vec<&'static str> {
        let groups = crate::kinds::groups().into_iter();
        groups
            .flat_map(|(pattern, kinds)| [pattern].into_iter().chain(kinds))
            .chain(["webhook.test"])
            .collect()
    }
}

/// The log, narrowed to what is looked for.
pub(crate) async fn list(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let sees_all = member.may(Right::SeeSensitive);
    let page = Page::of(&member, Some(Here::Events), ("Eventos", "Events"));
    let search = Search::read(&asked);
    let (wanted, faults) = search.told(&page);
    let (company, before) = (member.company.id, search.before);
    let scan = move |tx| async move { back::list(&tx, company, &wanted, before, MOST).await };
    let Part { found, next } = console.store.scan(scan).await?;
    Ok(html(&ListPage {
        lines: found.iter().map(|event| Line::of(event, sees_all)).collect(),
        next: next.map(|before| search.next(before)),
        page,
        search,
        faults,
    }))
}
