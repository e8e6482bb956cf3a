//! What an endpoint's deliveries are signed with: made, followed by something new, and, as far as it is public, told to
//! anyone.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header;
use orquiva_core::webhook::Overlap;
use orquiva_core::webhook::key::{self, SigningKey};
use orquiva_core::{Code, Scope, Secret};
use orquiva_store::lane::Lane;
use orquiva_store::webhook::{self, KeyPair};
use serde_json::json;

use crate::answer::Answer;
use crate::app::App;
use crate::body::OptionalBody;
use crate::caller::Caller;
use crate::condition::IfMatch;
use crate::params::Params;
use crate::problem::Problem;
use crate::request::known;

/// Gives an endpoint a new secret, which is in this answer and in no other, and a new key if it has one. The old ones
/// sign too until the overlap is over.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/rotate-secret",
    tag = "Webhooks",
    operation_id = "rotateWebhookSecret",
    security(("client" = ["webhooks:manage"])),
    request_body = ref("SecretRotation"),
    responses((status = 200, body = ref("CreatedWebhook")))
)]
pub(in crate::api) async fn rotate(
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
    let overlap = Overlap::parse(&body.json).map_err(Problem::fields)?;
    let own = app.clone();
    app.write(&caller.tells("webhook.rotated", id), body.terms, move |tx, pen| async move {
        let mut rotated = webhook::hold(&tx, pen.company, id).await?;
        expected.must_hold(&rotated.etag())?;
        let lane = Lane { company: pen.company, webhook: id };
        let (secret, sealed) = new_secret(&own, lane);
        let pair = rotated.shape.ed25519.then(|| new_pair(&own, lane)).transpose()?;
        rotated.public_key = pair.as_ref().map(|pair| pair.public.clone());
        rotated.previous_secret_until = Some(pen.now.plus(overlap.millis()));
        rotated.version += 1;
        rotated.updated_at = pen.now;
        webhook::rotate(&tx, pen.company, &rotated, &sealed, pair.as_ref()).await?;
        let mut shown = json!(rotated);
        shown["secret"] = json!(secret.expose());
        Ok(Answer::shown(rotated.etag(), &shown))
    })
    .await
}

/// The public keys of an endpoint (RFC 7517), for whoever receives its deliveries; an endpoint without a key is none.
#[utoipa::path(
    get,
    path = "/.well-known/webhook-keys/{id}",
    tag = "Webhooks",
    operation_id = "getWebhookKeySet",
    security(()),
    responses((status = 200, body = ref("KeySet")))
)]
pub(in crate::api) async fn key_set(
    State(app): State<App>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let id = known(&id)?;
    let tx = app.store.read().await?;
    let keys = webhook::public_keys(&tx, id, app.clock.now()).await?;
    if keys.is_empty() {
        return Err(Code::NotFound.into());
    }
    let keys: Vec<_> = keys.iter().filter_map(|public| key::jwk(public)).collect();
    Ok(([(header::CACHE_CONTROL, "public, max-age=300")], Json(json!({ "keys": keys }))).into_response())
}

/// A new secret, open and sealed.
pub(super) fn new_secret(app: &App, lane: Lane) -> (Secret, Vec<u8>) {
    let secret = Secret::for_webhook(app.chance.as_ref());
    let sealed = app.key.seal(secret.expose().as_bytes(), &lane.secret_place(), app.chance.as_ref());
    (secret, sealed)
}

/// A new Ed25519 key.
pub(super) fn new_pair(app: &App, lane: Lane) -> Result<KeyPair, Problem> {
    let seed = SigningKey::seed(app.chance.as_ref());
    let public = SigningKey::from_seed(&seed).map_err(Problem::internal)?.public();
    let sealed = app.key.seal(&seed, &lane.signing_key_place(), app.chance.as_ref());
    Ok(KeyPair { sealed, public })
}
