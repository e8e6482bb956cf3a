//! `/v1/webhooks`: where events go.

pub(super) mod secret;
pub(super) mod trial;

use axum::extract::{OriginalUri, Path, State};
use orquiva_core::webhook::{NewWebhook, Status, Webhook};
use orquiva_core::{Code, Scope};
use orquiva_people::Pen;
use orquiva_store::lane::Lane;
use orquiva_store::{StoreError, Tx, company, delivery, lane, webhook};
use serde_json::json;

use self::secret::{new_pair, new_secret};
use crate::answer::{Answer, to_json};
use crate::app::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::condition::IfMatch;
use crate::list::{Page, Paging};
use crate::params::Params;
use crate::problem::Problem;
use crate::request::known;
use crate::terms::Terms;

/// Most failed deliveries that are counted when an endpoint is enabled again.
const MOST_COUNTED: i64 = 100_000;

/// Most waiting deliveries that are put in order, or out of it, at once.
const MOST_ORDERED: i64 = 50_000;

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
    let new = NewWebhook::parse(&body.json, &app.reach).map_err(Problem::fields)?;
    if new.sensitive {
        caller.must(Scope::EmployeesSensitiveRead)?;
    }
    let own = app.clone();
    app.write(&caller.tells("webhook.created", ""), body.terms, move |tx, pen| async move {
        has_room(&tx, &pen).await?;
        let lane = Lane { company: pen.company, webhook: pen.mint.next() };
        let (secret, sealed) = new_secret(&own, lane);
        let pair = new.ed25519.then(|| new_pair(&own, lane)).transpose()?;
        let created = Webhook {
            id: lane.webhook,
            public_key: pair.as_ref().map(|pair| pair.public.clone()),
            shape: sealing(&own, lane, new),
            disabled_reason: None,
            disabled_at: None,
            previous_secret_until: None,
            version: 1,
            created_at: pen.now,
            updated_at: pen.now,
        };
        webhook::create(&tx, pen.company, &created, &sealed, pair.as_ref()).await?;
        if created.shape.status == Status::Paused {
            lane::halt(&tx, lane).await?;
        }
        let mut shown = json!(created);
        shown["secret"] = json!(secret.expose());
        let place = format!("/v1/webhooks/{}", created.id);
        Ok(Answer::created(place, Some(created.etag()), to_json(&shown)))
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
) -> Result<Answer, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let tx = app.store.read().await?;
    let found = webhook::get(&tx, caller.company, known(&id)?).await?;
    Ok(Answer::shown(found.etag(), &found))
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
) -> Result<Page, Problem> {
    caller.must(Scope::WebhooksManage)?;
    let paging = Paging::of(&mut params);
    params.finish()?;
    let company = caller.company;
    let list = paging.over(&app, &uri, format!("webhooks {company}"));
    let (after, most) = (list.after()?, list.most());
    let scan = move |tx| async move { webhook::list(&tx, company, after, most).await };
    let found = app.store.scan(scan).await?;
    Ok(list.page(found, |webhook| webhook.id.to_string(), |webhook| json!(webhook)))
}

/// Changes an endpoint by a merge patch (RFC 7396). Paused, what is for it waits; enabled again after it was disabled,
/// the answer says how many deliveries failed and can be sent again.
#[utoipa::path(
    patch,
    path = "/webhooks/{id}",
    tag = "Webhooks",
    operation_id = "changeWebhook",
    security(("client" = ["webhooks:manage"])),
    request_body = ref("WebhookPatch"),
    responses((status = 200, body = ref("Webhook")))
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    body: Body,
) -> Result<Answer, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let (id, patch) = (known(&id)?, body.json);
    let lane = Lane { company: caller.company, webhook: id };
    let failed = match NewWebhook::is_enabled_by(&patch) {
        true => {
            app.store.scan(move |tx| async move { delivery::failed(&tx, lane, MOST_COUNTED).await }).await?
        }
        false => 0,
    };
    let (own, owner) = (app.clone(), caller.clone());
    app.write(&caller.tells("webhook.updated", id), body.terms, move |tx, pen| async move {
        let before = webhook::hold(&tx, pen.company, id).await?;
        expected.must_hold(&before.etag())?;
        let shape = NewWebhook::patched(&before.shape, &patch, &own.reach);
        let shape = shape.map_err(Problem::fields)?;
        if shape.sensitive {
            owner.must(Scope::EmployeesSensitiveRead)?; // or its events could be led to where they may be seen
        }
        let after = put(&tx, &pen, &own, &before, shape).await?;
        let mut shown = json!(after);
        if (before.shape.status, after.shape.status) == (Status::Disabled, Status::Enabled) {
            shown["failedDeliveries"] = json!(failed);
        }
        Ok(Answer::shown(after.etag(), &shown).instead_of(&before))
    })
    .await
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
    app.write(&caller.tells("webhook.deleted", id), terms, move |tx, pen| async move {
        let before = webhook::get(&tx, pen.company, id).await?;
        expected.must_hold(&before.etag())?;
        webhook::delete(&tx, pen.company, id).await?;
        let lane = Lane { company: pen.company, webhook: id };
        lane::lock(&tx, lane).await?;
        match delivery::end_some(&tx, lane, "cancelled", pen.now).await? {
            delivery::PIECE.. => lane::leave(&tx, lane, pen.now).await?, // there may be many more
            _ => lane::delete(&tx, lane).await?,
        }
        Ok(Answer::nothing().instead_of(&before))
    })
    .await
}

/// Refuses one endpoint more than the plan allows.
async fn has_room(tx: &Tx, pen: &Pen) -> Result<(), Problem> {
    let most = company::get(tx, pen.company).await?.plan.max_webhooks();
    if webhook::count(tx, pen.company).await? < most {
        return Ok(());
    }
    Err(Problem::from(Code::LimitReached).because(
        format!("El plan admite {most} webhooks. Borre uno que ya no use o cambie de plan."),
        format!("The plan allows {most} webhooks. Delete one that is no longer used, or change the plan."),
    ))
}

/// What a client wrote, with its headers sealed.
fn sealing(app: &App, lane: Lane, shape: NewWebhook) -> NewWebhook {
    let headers = shape.headers.sealed(&app.key, &lane.secret_place(), app.chance.as_ref());
    NewWebhook { headers, ..shape }
}

/// Stores what an endpoint becomes as its next version, and carries it over to its lane; if nothing changes, nothing
/// happens.
async fn put(tx: &Tx, pen: &Pen, app: &App, before: &Webhook, shape: NewWebhook) -> Result<Webhook, Problem> {
    if json!(shape) == json!(before.shape) && !shape.headers.has_new() {
        return Ok(before.clone());
    }
    let lane = Lane { company: pen.company, webhook: before.id };
    let mut after = Webhook { shape: sealing(app, lane, shape), ..before.clone() };
    after.version += 1;
    after.updated_at = pen.now;
    if after.shape.status != Status::Disabled {
        (after.disabled_reason, after.disabled_at) = (None, None);
    }
    webhook::update(tx, pen.company, &after).await?;
    if after.shape.ed25519 != before.shape.ed25519 {
        let pair = after.shape.ed25519.then(|| new_pair(app, lane)).transpose()?;
        webhook::set_pair(tx, pen.company, after.id, pair.as_ref()).await?;
        after.public_key = pair.map(|pair| pair.public);
    }
    if after.shape.ordered != before.shape.ordered {
        order(tx, lane, after.shape.ordered).await?;
    }
    if after.shape.status != before.shape.status {
        carry(tx, pen, lane, after.shape.status).await?;
    }
    Ok(after)
}

/// Puts what waits in a lane in order, or out of it. The lane is held first, as by everyone who moves what is in it.
async fn order(tx: &Tx, lane: Lane, ordered: bool) -> Result<(), Problem> {
    lane::lock(tx, lane).await?;
    let waiting = delivery::log::waiting(tx, lane.company, Some(lane.webhook), MOST_ORDERED + 1).await?;
    if waiting > MOST_ORDERED {
        return Err(Code::TooManyWaiting.into());
    }
    Ok(delivery::put_in_order(tx, lane, ordered).await?)
}

/// Lets a lane follow the status of its endpoint. Only a worker disables, and it ends what waits as it does.
async fn carry(tx: &Tx, pen: &Pen, lane: Lane, status: Status) -> Result<(), StoreError> {
    match status {
        Status::Enabled => lane::resume(tx, lane, pen.now).await,
        Status::Paused => lane::halt(tx, lane).await,
        Status::Disabled => Ok(()),
    }
}
