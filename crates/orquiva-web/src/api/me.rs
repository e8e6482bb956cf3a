//! `/v1/me`: who is asking, and what it may do.

use axum::Json;
use axum::extract::State;
use orquiva_core::event::Actor;
use orquiva_core::{Code, Scope};
use orquiva_store::{client, company};
use serde_json::{Value, json};

use crate::app::App;
use crate::caller::Caller;
use crate::params::Params;
use crate::problem::Problem;

/// The company, the client and the limits of whoever asks. It takes no scope.
#[utoipa::path(
    get,
    path = "/me",
    tag = "Account",
    operation_id = "getMe",
    responses((status = 200, body = ref("Me")))
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let tx = app.store.read().await?;
    let company = company::get(&tx, caller.company).await?;
    let Actor::Client { id } = caller.actor else { return Err(Code::NotFound.into()) };
    let client = client::get(&tx, caller.company, id).await?;
    let terms = &client.terms;
    let plan = company.plan;
    let scopes: Vec<_> =
        Scope::ALL.iter().filter(|scope| caller.scopes.has(**scope)).map(|scope| scope.as_str()).collect();
    Ok(Json(json!({
        "company": { "id": company.id, "name": company.name, "plan": plan },
        "client": {
            "id": client.id,
            "name": terms.name,
            "scopes": scopes,
            "authentication": if terms.keys.is_some() { "private_key_jwt" } else { "client_secret" },
            "dpopRequired": terms.dpop_required,
            "allowedIps": terms.allowed_ips,
            "share": terms.share,
            "expiresAt": terms.expires_at,
            "lastUsedAt": client.last_used_at,
            "createdAt": client.created_at,
        },
        "limits": {
            "requestsPerMinute": plan.per_minute(),
            "clientRequestsPerMinute": terms.quota(plan.per_minute()).unwrap_or(plan.per_minute()),
            "tokensPerMinute": Some(app.token_limits.per_client).filter(|limit| *limit > 0),
            "webhooks": plan.max_webhooks(),
        },
    })))
}
