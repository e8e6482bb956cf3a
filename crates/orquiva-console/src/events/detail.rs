//! One event: what it tells, who did it, and where it went.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use orquiva_core::Timestamp;
use orquiva_core::id::{ClientId, UserId};
use orquiva_store::{StoreError, client, user};
use serde_json::Value;

use super::lines::{Line, Mark, lines};
use crate::console::Console;
use crate::member::Member;
use crate::next::escaped;
use crate::page::{Here, Page, html};
use crate::stop::Stop;
use crate::webhooks::detail::Line as Attempted;
use crate::webhooks::endpoint::Endpoint;

/// Who did something: a name if they still have one, and what they are.
struct Actor {
    kind: String,
    name: String,
    id: String,
}

#[derive(Template)]
#[template(path = "events/detail.html")]
struct DetailPage {
    page: Page,
    id: String,
    kind: String,
    sequence: i64,
    at: Option<Timestamp>,
    subject: String,
    actor: Actor,
    lines: Vec<Line>,
    raw: String,
    /// Where it went: the endpoint's name, which is empty if it was removed, and the delivery.
    went: Vec<(String, Attempted)>,
    /// Whether a delivery may still change.
    is_live: bool,
}

/// The page.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    let event = console.inside.read(member.reads(), &format!("/events/{}", escaped(&id))).await?.body;
    let deliveries = format!("/deliveries?eventId={}&limit=100", escaped(&id));
    let deliveries = console.inside.read(member.reads(), &deliveries).await?.body;
    let mut names: HashMap<String, String> = HashMap::new();
    let mut went = Vec::new();
    for delivery in deliveries["data"].as_array().into_iter().flatten() {
        let line = Attempted::of(delivery);
        if !names.contains_key(&line.webhook) {
            let name = name_of(&console, &member, &line.webhook).await?;
            names.insert(line.webhook.clone(), name);
        }
        went.push((names[&line.webhook].clone(), line));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(html(&DetailPage {
        page: Page::of(&member, Some(Here::Events), ("Evento", "Event")),
        kind: text(&event["type"]),
        sequence: event["sequence"].as_i64().unwrap_or_default(),
        at: event["timestamp"].as_str().and_then(Timestamp::parse),
        subject: text(&event["data"]["id"]),
        actor: actor(&console, &member, &event["actor"]).await?,
        lines: lines(&event),
        raw: event.to_string(),
        is_live: went.is_empty() || went.iter().any(|(_, line)| line.is_live()),
        went,
        id,
    }))
}

/// What an endpoint is called; nothing if it was removed.
async fn name_of(console: &Console, member: &Member, webhook: &str) -> Result<String, Stop> {
    match console.inside.read(member.reads(), &format!("/webhooks/{}", escaped(webhook))).await {
        Ok(reply) => Ok(Endpoint(reply.body).name().to_owned()),
        Err(refused) if refused.status() == 404 => Ok(String::new()),
        Err(refused) => Err(refused.into()),
    }
}

async fn actor(console: &Console, member: &Member, told: &Value) -> Result<Actor, Stop> {
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let (kind, id) = (text("type"), text("id"));
    let tx = console.store.read().await?;
    let name = match (ClientId::parse(&id), UserId::parse(&id)) {
        (Some(id), _) => client::get(&tx, member.company.id, id).await.map(|client| client.terms.name),
        (None, Some(id)) => user::get(&tx, id).await.map(|user| user.name),
        (None, None) => Ok(String::new()),
    };
    let name = match name {
        Ok(name) => name,
        Err(StoreError::NotFound) => String::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(Actor { kind, name, id })
}
