//! `/v1/deliveries`: what was sent where, and what came back.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use orquiva_core::event::EventType;
use orquiva_core::id::{EventId, ReplayId, WebhookId};
use orquiva_core::webhook::head::Head;
use orquiva_core::webhook::{Format, Payload, Status};
use orquiva_core::{Code, Fault, Scope, Timestamp, text};
use orquiva_store::delivery::State as Stand;
use orquiva_store::delivery::log::{self, Delivery, Exchange, Filter, StoredAttempt};
use orquiva_store::event::Event;
use orquiva_store::lane::{self, Lane};
use orquiva_store::{StoreError, event, webhook};
use serde_json::{Map, Value, json};

use crate::answer::{Answer, to_json};
use crate::app::App;
use crate::caller::Caller;
use crate::list::{Page, Paging};
use crate::params::Params;
use crate::problem::Problem;
use crate::request::known;
use crate::terms::Terms;

/// One delivery, with what each attempt sent and what came back.
#[utoipa::path(
    get,
    path = "/deliveries/{id}",
    tag = "Deliveries",
    operation_id = "getDelivery",
    security(("client" = ["webhooks:manage"])),
    responses((status = 200, body = ref("WholeDelivery")))
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let id = known(&id)?;
    let tx = app.store.read().await?;
    let one = log::get(&tx, caller.company, id).await?;
    let told = event::get(&tx, caller.company, one.event).await?;
    let exchanges = log::exchanges(&tx, caller.company, id).await?;
    let sees_all = caller.may(Scope::EmployeesSensitiveRead);
    let attempts = exchanges.iter().map(|exchange| show_exchange(&one, &told, exchange, sees_all)).collect();
    let mut shown = show(&one, attempts);
    if !sees_all && exchanges.iter().any(had_sensitive) {
        let scope = Scope::EmployeesSensitiveRead.as_str();
        let hidden = |field| json!({ "field": field, "scope": scope });
        let fields = ["attempts.request.body", "attempts.response.body"];
        shown["_meta"] = json!({ "redacted": fields.map(hidden) });
    }
    Ok(Json(shown))
}

/// The deliveries of the company, the newest first, each with its attempts in short. Of what is rare a page looks through
/// 5,000 deliveries: it may be empty although more follow.
#[utoipa::path(
    get,
    path = "/deliveries",
    tag = "Deliveries",
    operation_id = "listDeliveries",
    security(("client" = ["webhooks:manage"])),
    params(
        ("webhookId", Query),
        ("eventId", Query),
        ("eventType", Query),
        ("state", Query),
        ("replayId", Query),
        ("from", Query),
        ("to", Query)
    ),
    responses((status = 200, body = ref("DeliveryPage")))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<Page, Problem> {
    caller.must(Scope::WebhooksManage)?;
    let paging = Paging::of(&mut params);
    let moment = |text: &str| Timestamp::parse(text).ok_or(Fault::InvalidTime);
    let filter = Filter {
        webhook: params
            .take("webhookId", |text| WebhookId::parse(text).ok_or(Fault::InvalidId { kind: "whk" })),
        event: params.take("eventId", |text| EventId::parse(text).ok_or(Fault::InvalidId { kind: "evt" })),
        kind: params.take("eventType", event_type),
        state: params.take("state", |text| match Stand::ALL.contains(&text) {
            true => Ok(text.to_owned()),
            false => Err(Fault::NotAllowed { choices: Stand::ALL.join(", ") }),
        }),
        replay: params.take("replayId", |text| ReplayId::parse(text).ok_or(Fault::InvalidId { kind: "rpl" })),
        from: params.take("from", moment),
        to: params.take("to", moment),
    };
    params.finish()?;
    let company = caller.company;
    let list = paging.over(&app, &uri, format!("deliveries {company} {filter:?}"));
    let (before, limit) = (list.after()?, list.limit());
    let (found, next) = app
        .store
        .scan(move |tx| async move {
            let log::Page { found, next } = log::list(&tx, company, &filter, before, limit).await?;
            let ids: Vec<_> = found.iter().map(|one| one.id).collect();
            let mut attempts: HashMap<_, Vec<Value>> = HashMap::new();
            for attempt in log::attempts(&tx, company, &ids).await? {
                attempts.entry(attempt.delivery).or_default().push(show_attempt(&attempt));
            }
            let shown = found.iter().map(|one| show(one, attempts.remove(&one.id).unwrap_or_default()));
            Ok((shown.collect(), next))
        })
        .await?;
    Ok(list.shown(found, next))
}

/// Sends a delivery again at once, with all its tries before it; one that waits is tried now.
#[utoipa::path(
    post,
    path = "/deliveries/{id}/retry",
    tag = "Deliveries",
    operation_id = "retryDelivery",
    security(("client" = ["webhooks:manage"])),
    responses((status = 202, body = ref("Delivery")))
)]
pub(super) async fn retry(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    terms: Terms,
) -> Result<Answer, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let id = known(&id)?;
    app.write(&caller, terms, move |tx, pen| async move {
        let company = pen.company;
        let before = log::get(&tx, company, id).await?;
        let lane = Lane { company, webhook: before.webhook };
        if !lane::lock(&tx, lane).await? {
            return Err(Code::WebhookDeleted.into());
        }
        // A pause that the company has made stays; one by which we waited for the endpoint ends.
        let unpause = match webhook::get(&tx, company, before.webhook).await {
            Ok(endpoint) if endpoint.shape.status == Status::Disabled => {
                return Err(Code::WebhookDisabled.into());
            }
            Ok(endpoint) => endpoint.shape.status == Status::Enabled,
            Err(StoreError::NotFound) => return Err(Code::WebhookDeleted.into()),
            Err(error) => return Err(error.into()),
        };
        log::retry(&tx, lane, id, unpause, pen.now).await?;
        let after = log::get(&tx, company, id).await?;
        let attempts = log::attempts(&tx, company, &[id]).await?;
        let body = to_json(&show(&after, attempts.iter().map(show_attempt).collect()));
        Ok(Answer { status: 202, body, ..Answer::default() })
    })
    .await
}

fn event_type(given: &str) -> Result<String, Fault> {
    let all = EventType::ALL;
    match all.contains(&given) {
        true => Ok(given.to_owned()),
        false => {
            let near = text::nearest(given, all.iter().copied()).unwrap_or(all[0]);
            Err(Fault::UnknownEvent { near: near.to_owned() })
        }
    }
}

fn show(one: &Delivery, attempts: Vec<Value>) -> Value {
    let Delivery { id, webhook, event, kind, state, due_at, created_at, done_at, replay, expired } = one;
    json!({
        "id": id,
        "webhookId": webhook,
        "eventId": event,
        "eventType": kind,
        "state": state,
        "expired": expired,
        "nextAttemptAt": (state == "waiting").then_some(due_at),
        "replayId": replay,
        "attempts": attempts,
        "createdAt": created_at,
        "doneAt": done_at,
    })
}

fn show_attempt(attempt: &StoredAttempt) -> Value {
    let StoredAttempt { number, started_at, duration, status, error, detail, address, .. } = attempt;
    json!({
        "number": number,
        "startedAt": started_at,
        "durationMs": duration,
        "status": status,
        "error": error,
        "errorDetail": detail,
        "address": address,
    })
}

/// Whether what is sensitive was sent.
fn had_sensitive(exchange: &Exchange) -> bool {
    was_made(exchange, "sensitive")
}

/// Whether the body was made so of its event.
fn was_made(exchange: &Exchange, so: &str) -> bool {
    exchange.shape.as_deref().is_some_and(|shape| shape.split(' ').any(|word| word == so))
}

fn format_of(exchange: &Exchange) -> Format {
    if was_made(exchange, Format::CloudEvents.as_str()) { Format::CloudEvents } else { Format::Json }
}

/// An attempt with what was sent and what came back. What an endpoint says may repeat what it was sent.
fn show_exchange(delivery: &Delivery, told: &Event, exchange: &Exchange, sees_all: bool) -> Value {
    let sensitive = had_sensitive(exchange);
    let is_thin = was_made(exchange, Payload::Thin.as_str());
    let payload = if is_thin { Payload::Thin } else { Payload::Full };
    let mut shown = show_attempt(&exchange.attempt);
    shown["request"] = match &exchange.url {
        Some(url) => json!({
            "method": "POST",
            "url": url,
            "headers": request_headers(delivery, exchange),
            "body": told.body(sensitive && sees_all, payload, format_of(exchange)),
        }),
        None => Value::Null,
    };
    let Exchange { attempt: StoredAttempt { status, .. }, headers, response, .. } = exchange;
    shown["response"] = match status.is_some() || headers.is_some() || response.is_some() {
        true => json!({
            "status": status,
            "headers": headers.as_deref().map(lines),
            "body": response.as_deref().filter(|_| sees_all || !sensitive),
        }),
        false => Value::Null,
    };
    shown
}

/// The headers of a request as it was sent; those of the endpoint's own without their values.
fn request_headers(delivery: &Delivery, exchange: &Exchange) -> Map<String, Value> {
    let kept = exchange.sent.as_deref().unwrap_or_default();
    let attempt = &exchange.attempt;
    // Signed a moment before it was sent, which may have been in another second.
    let signed = kept.split_once("t=").and_then(|(_, rest)| rest.split(',').next()?.parse::<i64>().ok());
    let at = signed.map_or(attempt.started_at, |seconds| Timestamp::from_millis(seconds * 1000));
    let head = Head {
        event: delivery.event,
        kind: &delivery.kind,
        delivery: delivery.id,
        attempt: attempt.number,
        at,
        replay: delivery.replay.is_some(),
    };
    let mut headers: Map<String, Value> =
        [("content-type".to_owned(), json!(format_of(exchange).content_type()))].into_iter().collect();
    headers.extend(head.headers().map(|(name, value)| (name.to_owned(), json!(value))));
    headers.extend(lines(kept));
    headers
}

/// Headers of which each is a line; one that came several times has its values in a list.
fn lines(text: &str) -> Map<String, Value> {
    let mut headers = Map::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(": ")) {
        match headers.get_mut(name) {
            Some(Value::Array(values)) => values.push(json!(value)),
            Some(first) => *first = json!([first.take(), value]),
            None => drop(headers.insert(name.to_owned(), json!(value))),
        }
    }
    headers
}
