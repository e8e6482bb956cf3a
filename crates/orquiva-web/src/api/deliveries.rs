//! `/v1/deliveries`: what was sent where, and what came back.

use axum::extract::{OriginalUri, State};
use axum::response::IntoResponse;
use orquiva_core::id::{EventId, WebhookId};
use orquiva_core::{Fault, Scope};
use orquiva_store::delivery::{self, Delivery, Filter, State as Stand};
use serde_json::{Value, json};

use crate::app::App;
use crate::caller::Caller;
use crate::cursor::{Bound, page};
use crate::params::Params;
use crate::problem::Problem;

/// The deliveries of the company, the newest first, each with its attempts.
#[utoipa::path(
    get,
    path = "/deliveries",
    tag = "Deliveries",
    operation_id = "listDeliveries",
    security(("client" = ["webhooks:manage"])),
    params(("webhookId", Query), ("eventId", Query), ("state", Query)),
    responses((status = 200, body = ref("DeliveryPage")))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::WebhooksManage)?;
    let limit = params.limit();
    let cursor = params.take("cursor", |text| Ok(text.to_owned()));
    let filter = Filter {
        webhook: params
            .take("webhookId", |text| WebhookId::parse(text).ok_or(Fault::InvalidId { kind: "whk" })),
        event: params.take("eventId", |text| EventId::parse(text).ok_or(Fault::InvalidId { kind: "evt" })),
        state: params.take("state", |text| match Stand::ALL.contains(&text) {
            true => Ok(text.to_owned()),
            false => Err(Fault::NotAllowed { choices: Stand::ALL.join(", ") }),
        }),
    };
    params.finish()?;
    let company = caller.company;
    let bound = Bound { key: &app.key, to: format!("deliveries {company} {filter:?}") };
    let before = cursor.map(|cursor| bound.read(&cursor)).transpose()?;
    let (found, next) = app
        .store
        .scan(move |tx| async move {
            let mut found = delivery::list(&tx, company, &filter, before, limit + 1).await?;
            let more = found.len() as i64 > limit;
            found.truncate(limit as usize);
            let last = found.last().filter(|_| more).map(|last| last.id);
            let mut shown = Vec::with_capacity(found.len());
            for one in found {
                let attempts = delivery::attempts(&tx, company, one.id).await?;
                shown.push(show(&one, &attempts));
            }
            Ok((shown, last))
        })
        .await?;
    let next = next.map(|last| bound.write(last));
    Ok(page(&app, &uri, found, next))
}

fn show(one: &Delivery, attempts: &[delivery::StoredAttempt]) -> Value {
    let Delivery { id, webhook, event, kind, state, due_at, created_at, done_at } = one;
    json!({
        "id": id,
        "webhookId": webhook,
        "eventId": event,
        "eventType": kind,
        "state": state,
        "nextAttemptAt": (state == "waiting").then_some(due_at),
        "attempts": attempts,
        "createdAt": created_at,
        "doneAt": done_at,
    })
}
