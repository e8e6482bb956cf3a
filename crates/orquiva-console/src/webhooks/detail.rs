//! One endpoint: how it stands, and its deliveries as they arrive.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use orquiva_core::event::EventType;
use orquiva_core::{Right, Timestamp};
use serde_json::Value;

use super::endpoint::{Endpoint, Pulse, find, moment, pulse, state_of};
use super::trial::Try;
use crate::console::Console;
use crate::guest::random;
use crate::member::Member;
use crate::next::escaped;
use crate::page::{Here, Page, html};
use crate::show::{Faults, utc};
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Deliveries on a page.
const MOST: usize = 25;

/// What the list of deliveries may be narrowed to.
const STATES: [&str; 4] = ["waiting", "delivered", "failed", "cancelled"];

/// A delivery in a list.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) webhook: String,
    pub(crate) kind: String,
    pub(crate) state: &'static str,
    pub(crate) attempts: usize,
    pub(crate) last: Option<Try>,
    pub(crate) is_replay: bool,
    pub(crate) at: Option<Timestamp>,
    pub(crate) next: Option<Timestamp>,
}

impl Line {
    /// Whether it may still change by itself.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, "waiting" | "retrying")
    }

    /// Of a delivery as the API shows it.
    pub(crate) fn of(delivery: &Value) -> Self {
        let own = |name: &str| delivery[name].as_str().unwrap_or_default().to_owned();
        let attempts = delivery["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            id: own("id"),
            webhook: own("webhookId"),
            kind: own("eventType"),
            state: state_of(delivery),
            attempts: attempts.len(),
            last: attempts.last().map(Try::of),
            is_replay: !delivery["replayId"].is_null(),
            at: moment(&delivery["createdAt"]),
            next: moment(&delivery["nextAttemptAt"]),
        }
    }
}

/// What is asked of the list of deliveries.
#[derive(Clone, Debug, Default)]
struct Search {
    state: String,
    kind: String,
    from: String,
    to: String,
    cursor: String,
}

impl Search {
    fn read(asked: &HashMap<String, String>) -> Self {
        let text = |name: &str| asked.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        Self {
            state: Some(text("state")).filter(|state| STATES.contains(&state.as_str())).unwrap_or_default(),
            kind: Some(text("type"))
                .filter(|kind| EventType::ALL.contains(&kind.as_str()))
                .unwrap_or_default(),
            from: text("from"),
            to: text("to"),
            cursor: text("cursor"),
        }
    }

    /// What the API is asked, with what is wrong with it.
    fn query(&self, webhook: &str, page: &Page) -> (String, Faults) {
        let mut faults = Faults::default();
        let mut query = format!("/deliveries?webhookId={webhook}&limit={MOST}");
        let mut narrow = |name: &str, value: &str| {
            if !value.is_empty() {
                query.push_str(&format!("&{name}={}", escaped(value)));
            }
        };
        narrow("state", &self.state);
        narrow("eventType", &self.kind);
        narrow("cursor", &self.cursor);
        for (name, text) in [("from", &self.from), ("to", &self.to)] {
            match utc(text) {
                Some(at) => narrow(name, &at.to_string()),
                None if text.is_empty() => {}
                None => faults.add(name, page.t("No es una fecha con hora.", "It is no date with a time.")),
            }
        }
        (query, faults)
    }

    /// The query of the page that goes on at `cursor`.
    fn next(&self, cursor: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let Self { state, kind, from, to, .. } = self;
        for (name, value) in [("state", state), ("type", kind), ("from", from), ("to", to)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.append_pair("cursor", cursor).finish()
    }

    fn is_narrow(&self) -> bool {
        [&self.state, &self.kind, &self.from, &self.to].iter().any(|text| !text.is_empty())
    }
}

#[derive(Template)]
#[template(path = "webhooks/detail.html")]
struct DetailPage {
    page: Page,
    endpoint: Endpoint,
    etag: String,
    pulse: Pulse,
    /// Until when the secret before the last rotation signs too.
    overlap: Option<Timestamp>,
    search: Search,
    faults: Faults,
    lines: Vec<Line>,
    next: Option<String>,
    key: String,
    may: bool,
}

/// The endpoint and its deliveries.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let (endpoint, etag) = find(&console, &member, &id).await?;
    let name = endpoint.name().to_owned();
    let page = Page::of(&member, Some(Here::Webhooks), (&name, &name));
    let search = Search::read(&asked);
    let (query, faults) = search.query(endpoint.id(), &page);
    let found = console.inside.read(member.reads(), &query).await?.body;
    let now = console.clock.now();
    Ok(html(&DetailPage {
        pulse: pulse(&console, member.reads(), endpoint.id()).await?,
        overlap: endpoint.moment("previousSecretUntil").filter(|until| *until > now),
        lines: found["data"].as_array().into_iter().flatten().map(Line::of).collect(),
        next: found["nextCursor"].as_str().map(|cursor| search.next(cursor)),
        key: random(console.chance.as_ref()),
        may: member.may(Right::ManageWebhooks),
        page,
        endpoint,
        etag,
        search,
        faults,
    }))
}
