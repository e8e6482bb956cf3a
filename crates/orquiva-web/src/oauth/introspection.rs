//! `POST /oauth/introspect` (RFC 7662): what a token of the own company allows at this moment.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::client::ask;
use super::refused::{Refused, with_no_store};
use crate::app::App;

/// Tells of a token, or that it is not active: unknown, ended, revoked and another company's look the same.
#[utoipa::path(
    post,
    path = "/oauth/introspect",
    tag = "OAuth",
    operation_id = "introspectToken",
    security((), ("credentials" = [])),
    request_body(content = ref("TokenQuestion"), content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = ref("Introspection")))
)]
pub(super) async fn introspect(State(app): State<App>, request: Request) -> Response {
    match tell(&app, request).await {
        Ok(told) => with_no_store(StatusCode::OK, told),
        Err(refused) => refused.into_response(),
    }
}

async fn tell(app: &App, request: Request) -> Result<Value, Refused> {
    let asked = ask(app, &app.gates().introspection, request).await?;
    let token = asked.form.get("token").ok_or(Refused::InvalidRequest("token is missing"))?;
    let grant = app.tokens.check(token).await?.filter(|grant| grant.company == asked.known.client.company);
    let (Some(grant), Some(claims)) = (grant, app.tokens.read(token)) else {
        return Ok(json!({ "active": false }));
    };
    let mut told = json!({
        "active": true,
        "scope": grant.scopes,
        "client_id": grant.client,
        "sub": grant.client,
        "company": grant.company,
        "token_type": if grant.bound_to.is_some() { "DPoP" } else { "Bearer" },
        "iss": claims.iss,
        "aud": claims.aud,
        "jti": claims.jti,
        "iat": claims.iat,
        "exp": grant.expires.seconds(),
    });
    if let Some(jkt) = &grant.bound_to {
        told["cnf"] = json!({ "jkt": jkt });
    }
    Ok(told)
}
