//! `POST /v1/webhooks/{id}/test`: a delivery to look at.

use axum::extract::{Path, State};
use orquiva_core::event::{API_VERSION, EventType, NewEvent};
use orquiva_core::id::{DeliveryId, EventId};
use orquiva_core::webhook::Status;
use orquiva_core::{Code, Scope};
use orquiva_store::{event, webhook};
use serde_json::json;

use crate::answer::{Answer, to_json};
use crate::app::App;
use crate::body::OptionalBody;
use crate::caller::Caller;
use crate::condition::IfMatch;
use crate::params::Params;
use crate::problem::Problem;
use crate::request::known;

/// Raises a `webhook.test` for one endpoint, which is delivered like any other event whatever it is subscribed to. The
/// answer names the event and the delivery that will be made of it.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/test",
    tag = "Webhooks",
    operation_id = "testWebhook",
    security(("client" = ["webhooks:manage"])),
    responses((status = 202, body = ref("WebhookTest")))
)]
pub(in crate::api) async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    OptionalBody(body): OptionalBody,
) -> Result<Answer, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let id = known(&id)?;
    orquiva_core::field::Fields::of(&body.json)
        .and_then(|fields| fields.finish(Some(())))
        .map_err(Problem::fields)?;
    app.write(&caller, body.terms, move |tx, pen| async move {
        let tested = webhook::get(&tx, pen.company, id).await?;
        expected.must_hold(&tested.etag())?;
        if tested.shape.status == Status::Disabled {
            return Err(Code::WebhookDisabled.into());
        }
        let event: EventId = pen.mint.next();
        let payload = json!({
            "apiVersion": API_VERSION, "companyId": pen.company, "actor": pen.actor, "data": tested,
        });
        let new = NewEvent {
            id: event,
            kind: EventType::WebhookTest,
            subject: id.to_string(),
            at: pen.now,
            payload: payload.to_string(),
            sensitive: None,
        };
        event::announce(&tx, pen.company, &new).await?;
        let told = json!({ "eventId": event, "deliveryId": DeliveryId::twin_of(event) });
        Ok(Answer { status: 202, body: to_json(&told), ..Answer::default() })
    })
    .await
}
