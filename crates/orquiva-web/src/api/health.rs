//! `/v1/webhooks/{id}/health`: how an endpoint stands, and which events it has not confirmed.

use axum::Json;
use axum::extract::{Path, State};
use orquiva_core::id::WebhookId;
use orquiva_core::webhook::Status;
use orquiva_core::{Code, Fault, FieldError, Scope, Timestamp};
use orquiva_store::delivery::log;
use orquiva_store::lane::{self, Lane, Stand};
use orquiva_store::replay::part::{Asked, Fate, target};
use orquiva_store::{StoreError, company};
use serde_json::{Value, json};

use crate::app::App;
use crate::caller::Caller;
use crate::params::Params;
use crate::problem::Problem;

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// What waits is counted up to this.
const MOST_WAITING: i64 = 10_000;

/// Events that are looked at with one statement, and how many of these one report takes.
const PART: i64 = 500;
const MOST_PARTS: usize = 40;

/// Events that a report names.
const MOST_MISSING: usize = 100;

/// How an endpoint stands, and which of its events between two moments it has not confirmed: those of the last day, if
/// nothing else is asked for.
#[utoipa::path(
    get,
    path = "/webhooks/{id}/health",
    tag = "Webhooks",
    operation_id = "getWebhookHealth",
    security(("client" = ["webhooks:manage"])),
    params(("from", Query), ("to", Query)),
    responses((status = 200, body = ref("Health")))
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::WebhooksManage)?;
    let moment = |text: &str| Timestamp::parse(text).ok_or(Fault::InvalidTime);
    let (from, to) = (params.take("from", moment), params.take("to", moment));
    params.finish()?;
    let webhook = WebhookId::parse(&id).ok_or(Code::NotFound)?;
    let (company, now) = (caller.company, app.clock.now());
    let to = to.unwrap_or(now);
    let from = from.unwrap_or(to.plus(-DAY));
    let (target, stand, days) = {
        let tx = app.store.read().await?;
        let target = target(&tx, company, webhook).await?;
        let stand = lane::stand(&tx, Lane { company, webhook }).await?;
        (target, stand, company::get(&tx, company).await?.plan.delivery_days())
    };
    check(from, to, now, days)?;
    let status = target.status;
    let report = report(&app, &caller, Asked::of(target, None), from, to).await?;
    let count = move |tx| async move { log::waiting(&tx, company, Some(webhook), MOST_WAITING).await };
    let waiting = app.store.scan(count).await?;
    let (state, next) = state_of(status, stand, waiting, app.clock.steady());
    Ok(Json(json!({
        "webhookId": webhook,
        "state": state,
        "nextAttemptAt": next,
        "lastSuccessAt": stand.last_success_at,
        "failingSince": stand.failing_since,
        "waiting": waiting,
        "waitingIsExact": waiting < MOST_WAITING,
        "report": report,
    })))
}

/// Refuses a span of nothing, and one that begins before what is kept of deliveries.
fn check(from: Timestamp, to: Timestamp, now: Timestamp, days: i64) -> Result<(), Problem> {
    let refuse = |pointer: &str, fault| {
        Err(Problem::parameters(vec![FieldError { pointer: pointer.to_owned(), fault }]))
    };
    if to <= from {
        return refuse("to", Fault::EmptySpan);
    }
    if now.since(from) > days * DAY {
        return refuse("from", Fault::BeforeDeliveryLog { days });
    }
    Ok(())
}

/// The state of a lane, and when it is worked at again if that is later.
fn state_of(status: Status, stand: Stand, waiting: i64, now: Timestamp) -> (&'static str, Option<Timestamp>) {
    let paused = Some(stand.paused_until).filter(|until| *until > now);
    match (status, paused) {
        (Status::Disabled, _) => ("disabled", None),
        (Status::Paused, _) => ("paused", None),
        (_, Some(until)) if stand.trips > 0 => ("open", Some(until)),
        (_, Some(until)) => ("backing_off", Some(until)),
        (_, None) if waiting == 0 => ("idle", None),
        (_, None) => match stand.due_at {
            Some(due) if !stand.is_leased && due > now => ("backing_off", Some(due)),
            Some(_) | None => ("delivering", None),
        },
    }
}

/// Which of the events that were asked for were confirmed.
async fn report(
    app: &App,
    caller: &Caller,
    asked: Asked,
    from: Timestamp,
    to: Timestamp,
) -> Result<Value, StoreError> {
    let company = caller.company;
    let between = move |tx| async move { asked.between(&tx, company, from, Some(to)).await };
    let (asked, mut after) = app.store.scan(between).await?;
    let (mut events, mut confirmed, mut missing) = (0, 0, Vec::new());
    let mut checked = from;
    for _ in 0..MOST_PARTS {
        if after >= asked.last {
            break;
        }
        let this = asked.clone();
        let look = move |tx| async move { this.look(&tx, company, after, PART).await };
        let part = app.store.scan(look).await?;
        for (event, fate) in &part.events {
            events += 1;
            checked = event.created_at;
            if fate.arrived {
                confirmed += 1;
            } else if missing.len() < MOST_MISSING {
                let kind = &event.kind;
                missing
                    .push(json!({ "eventId": event.id, "eventType": kind, "state": state_of_event(*fate) }));
            }
        }
        after = part.through;
    }
    let is_complete = after >= asked.last;
    Ok(json!({
        "from": from,
        "to": to,
        "checkedTo": if is_complete { to } else { checked },
        "isComplete": is_complete,
        "events": events,
        "confirmed": confirmed,
        "missing": missing,
    }))
}

fn state_of_event(fate: Fate) -> &'static str {
    match fate {
        Fate { waits: true, .. } => "waiting",
        Fate { failed: true, .. } => "failed",
        Fate { .. } => "never_sent",
    }
}
