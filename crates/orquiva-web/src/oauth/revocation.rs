//! `POST /oauth/revoke` (RFC 7009): a client ends one of its own tokens before its hour is over.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};

use super::client::ask;
use super::refused::Refused;
use crate::app::App;

/// Ends a token: on this node at once, on every node within a second. A token that is none, or has ended, is as
/// good as revoked: 200.
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    tag = "OAuth",
    operation_id = "revokeToken",
    security((), ("credentials" = [])),
    request_body(content = ref("TokenQuestion"), content_type = "application/x-www-form-urlencoded"),
    responses((status = 200))
)]
pub(super) async fn revoke(State(app): State<App>, request: Request) -> Response {
    match end(&app, request).await {
        Ok(()) => (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response(),
        Err(refused) => refused.into_response(),
    }
}

async fn end(app: &App, request: Request) -> Result<(), Refused> {
    let asked = ask(app, &app.gates().tokens, request).await?;
    let token = asked.form.get("token").ok_or(Refused::InvalidRequest("token is missing"))?;
    let Some(claims) = app.tokens.read(token) else { return Ok(()) };
    let client = &asked.known.client;
    if claims.client_id != client.id.to_string() {
        return Err(Refused::UnauthorizedClient("This token was issued to another client"));
    }
    Ok(app.tokens.revoke(client.company, &claims).await?)
}
