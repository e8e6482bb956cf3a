//! `/v1/webhooks`: where events go.

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::response::IntoResponse;
use orquiva_core::id::WebhookId;
use orquiva_core::webhook::{NewWebhook, Webhook};
use orquiva_core::{Code, Scope, Secret};
use orquiva_store::lane::Lane;
use orquiva_store::{company, delivery, webhook};
use serde_json::json;

use crate::answer::{Answer, to_json};
use crate::app::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::condition::{IfMatch, etag_of};
use crate::cursor::{Bound, page};
use crate::params::Params;
use crate::problem::Problem;
use crate::terms::Terms;

/// Creates an endpoint. Its secret is in this answer and in no other.
#[utoipa::path(
    post,
    path = "/webhooks",
    tag = "Webhooks",
    operation_id = "createWebhook",
    security(("client" = ["webhooks:manage"])),
    request_body = ref("NewWebhook"),
    responses((status = 201, body = ref("CreatedWebhook")))
)]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Result<Answer, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let new = NewWebhook::parse(&body.json, app.allow_private_webhooks).map_err(Problem::fields)?;
    if new.sensitive {
        caller.must(Scope::EmployeesSensitiveRead)?;
    }
    let (key, chance) = (app.key.clone(), app.chance.clone());
    app.write(&caller, body.terms, move |tx, pen| async move {
        let most = company::get(&tx, pen.company).await?.plan.max_webhooks();
        if webhook::count(&tx, pen.company).await? >= most {
            return Err(Problem::from(Code::LimitReached).because(
                format!("El plan admite {most} webhooks. Borre uno que ya no use o cambie de plan."),
                format!(
                    "The plan allows {most} webhooks. Delete one that is no longer used, or change the plan."
                ),
            ));
        }
        let created = Webhook {
            id: pen.mint.next(),
            url: new.url.as_str().to_owned(),
            events: new.events.iter().map(ToString::to_string).collect(),
            description: new.description,
            max_concurrency: new.max_concurrency,
            sensitive: new.sensitive,
            status: "enabled",
            disabled_reason: None,
            created_at: pen.now,
        };
        let secret = Secret::for_webhook(chance.as_ref());
        let lane = Lane { company: pen.company, webhook: created.id };
        let sealed = key.seal(secret.expose().as_bytes(), &lane.secret_place(), chance.as_ref());
        webhook::create(&tx, pen.company, &created, &sealed).await?;
        let mut shown = json!(created);
        shown["secret"] = json!(secret.expose());
        Ok(Answer::created(format!("/v1/webhooks/{}", created.id), None, to_json(&shown)))
    })
    .await
}

/// One endpoint.
#[utoipa::path(
    get,
    path = "/webhooks/{id}",
    tag = "Webhooks",
    operation_id = "getWebhook",
    security(("client" = ["webhooks:manage"])),
    responses((status = 200, body = ref("Webhook")))
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Webhook>, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let tx = app.store.read().await?;
    Ok(Json(webhook::get(&tx, caller.company, known(&id)?).await?))
}

/// The endpoints of the company, the oldest first.
#[utoipa::path(
    get,
    path = "/webhooks",
    tag = "Webhooks",
    operation_id = "listWebhooks",
    security(("client" = ["webhooks:manage"])),
    responses((status = 200, body = ref("WebhookPage")))
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
    params.finish()?;
    let company = caller.company;
    let bound = Bound { key: &app.key, to: format!("webhooks {company}") };
    let after = cursor.map(|cursor| bound.read(&cursor)).transpose()?;
    let scan = move |tx| async move { webhook::list(&tx, company, after, limit + 1).await };
    let mut found = app.store.scan(scan).await?;
    let more = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| bound.write(last.id));
    Ok(page(&app, &uri, found.iter().map(|webhook| json!(webhook)).collect(), next))
}

/// Removes an endpoint. What still waits for it is cancelled, and stays in the log.
#[utoipa::path(
    delete,
    path = "/webhooks/{id}",
    tag = "Webhooks",
    operation_id = "deleteWebhook",
    security(("client" = ["webhooks:manage"])),
    responses((status = 204))
)]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    terms: Terms,
) -> Result<Answer, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let id = known(&id)?;
    app.write(&caller, terms, move |tx, pen| async move {
        let before = webhook::get(&tx, pen.company, id).await?;
        if !expected.holds(&etag_of(to_json(&before).as_bytes())) {
            return Err(Code::PreconditionFailed.into());
        }
        webhook::delete(&tx, pen.company, id).await?;
        let lane = Lane { company: pen.company, webhook: id };
        delivery::end_waiting(&tx, lane, "cancelled", pen.now).await?;
        Ok(Answer::nothing())
    })
    .await
}

fn known(id: &str) -> Result<WebhookId, Problem> {
    WebhookId::parse(id).ok_or_else(|| Code::NotFound.into())
}
