//! `POST /oauth/token`: an access token of one hour for a client that shows that it is itself.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use orquiva_core::{Scopes, dpop};
use orquiva_store::StoreError;
use serde_json::{Value, json};

use super::client::{Asked, ask};
use super::refused::{Refused, with_no_store};
use crate::app::App;
use crate::caller::only_proof;
use crate::tokens::LIFETIME;

/// Gives a token for a client's id and secret, or for what it signed.
#[utoipa::path(
    post,
    path = "/oauth/token",
    tag = "OAuth",
    operation_id = "issueToken",
    security((), ("credentials" = [])),
    request_body(content = ref("TokenRequest"), content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = ref("Token")))
)]
pub(super) async fn issue(State(app): State<App>, request: Request) -> Response {
    match answer(&app, request).await {
        Ok(token) => with_no_store(StatusCode::OK, token),
        Err(refused) => refused.into_response(),
    }
}

async fn answer(app: &App, request: Request) -> Result<Value, Refused> {
    let asked = ask(app, &app.gates().tokens, request).await?;
    match asked.form.get("grant_type").map(String::as_str) {
        None => return Err(Refused::InvalidRequest("grant_type is missing")),
        Some("client_credentials") => {}
        Some(_) => return Err(Refused::UnsupportedGrantType),
    }
    let client = &asked.known.client;
    let scopes = granted(client.terms.scopes, asked.form.get("scope").map(String::as_str))?;
    let key = proven_key(app, &asked)?;
    let kind = if key.is_some() { "DPoP" } else { "Bearer" };
    let issued = app.tokens.issue(client, scopes, key);
    let token = issued.map_err(|error| Refused::from(StoreError::broken(error)))?;
    Ok(json!({ "access_token": token, "token_type": kind, "expires_in": LIFETIME, "scope": scopes }))
}

/// The key that the token is to be bound to: that of the proof, if the client sent one (RFC 9449 §5).
fn proven_key(app: &App, asked: &Asked) -> Result<Option<String>, Refused> {
    let proof = match only_proof(&asked.headers).map_err(Refused::InvalidDpopProof)? {
        Some(proof) => proof,
        None if asked.known.client.terms.dpop_required => {
            return Err(Refused::InvalidDpopProof("This client gets tokens only with a DPoP proof"));
        }
        None => return Ok(None),
    };
    let url = format!("{}/oauth/token", app.public_url);
    let now = app.clock.now();
    let about = dpop::About { method: "POST", url: &url, token: None };
    let proof = dpop::check(proof, about, now).map_err(Refused::InvalidDpopProof)?;
    match app.spend_proof(&proof, now) {
        true => Ok(Some(proof.thumbprint)),
        false => Err(Refused::InvalidDpopProof("The DPoP proof was used before")),
    }
}

/// The scopes of the token: those asked for, or all that the client holds.
fn granted(held: Scopes, asked: Option<&str>) -> Result<Scopes, Refused> {
    let asked = match asked.map(Scopes::parse) {
        None => return Ok(held),
        Some(Ok(asked)) if asked.is_empty() => return Ok(held),
        Some(Ok(asked)) => asked,
        Some(Err(_)) => return Err(Refused::InvalidScope("One of the scopes does not exist".to_owned())),
    };
    match held.cover(asked) {
        true => Ok(asked),
        false => Err(Refused::InvalidScope(format!("This client holds only: {held}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nobody_is_granted_more_than_the_client_holds(held in 0_usize..256, asked in "[a-z:. ]{0,40}") {
            let held: Scopes = orquiva_core::Scope::ALL.iter().enumerate().filter(|(at, _)| held & 1 << at != 0).map(|(_, scope)| *scope).collect();
            if let Ok(granted) = granted(held, Some(&asked)) {
                prop_assert!(held.cover(granted));
            }
        }
    }
}
