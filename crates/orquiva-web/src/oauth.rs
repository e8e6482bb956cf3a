//! OAuth 2.0: the token endpoint (RFC 6749 §4.4, client credentials) and the key set (RFC 7517).

use std::borrow::Cow;
use std::collections::HashMap;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use orquiva_core::{Scopes, Secret};
use orquiva_store::StoreError;
use serde_json::{Value, json};

use crate::app::App;
use crate::tokens::LIFETIME;

/// Most bytes of a request for a token.
const MOST: usize = 16 * 1024;

pub(crate) fn router() -> Router<App> {
    Router::new().route("/oauth/token", post(token)).route("/.well-known/jwks.json", get(key_set))
}

/// An error of RFC 6749 §5.2. It is never problem+json, and its text is ASCII.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    InvalidRequest(&'static str),
    InvalidClient,
    UnsupportedGrantType,
    InvalidScope(String),
    Unavailable,
}

impl Refused {
    fn answer(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::InvalidRequest(what) => (StatusCode::BAD_REQUEST, "invalid_request", (*what).to_owned()),
            Self::InvalidClient => {
                let what = "Unknown client, wrong secret, or the client was revoked";
                (StatusCode::UNAUTHORIZED, "invalid_client", what.to_owned())
            }
            Self::UnsupportedGrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "Use grant_type=client_credentials".to_owned(),
            ),
            Self::InvalidScope(what) => (StatusCode::BAD_REQUEST, "invalid_scope", what.clone()),
            Self::Unavailable => {
                let what = "The service is not available at the moment. Try again after Retry-After seconds";
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", what.to_owned())
            }
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(cause = %error, "a token could not be issued");
        Self::Unavailable
    }
}

/// Gives a token of one hour for a client's id and secret.
async fn token(State(app): State<App>, request: Request) -> Response {
    match issue(&app, request).await {
        Ok(token) => with_no_store(StatusCode::OK, token),
        Err(refused) => {
            let (status, error, description) = refused.answer();
            let mut response =
                with_no_store(status, json!({ "error": error, "error_description": description }));
            let headers = response.headers_mut();
            match refused {
                Refused::InvalidClient => {
                    headers.insert(
                        header::WWW_AUTHENTICATE,
                        http::HeaderValue::from_static(r#"Basic realm="orquiva""#),
                    );
                }
                Refused::Unavailable => {
                    headers.insert(header::RETRY_AFTER, http::HeaderValue::from_static("1"));
                }
                Refused::InvalidRequest(_) | Refused::UnsupportedGrantType | Refused::InvalidScope(_) => {}
            }
            response
        }
    }
}

fn with_no_store(status: StatusCode, body: Value) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    (status, headers, Json(body)).into_response()
}

async fn issue(app: &App, request: Request) -> Result<Value, Refused> {
    let (parts, body) = request.into_parts();
    let is_form =
        parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            value
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
    if !is_form {
        return Err(Refused::InvalidRequest("Send a form: Content-Type: application/x-www-form-urlencoded"));
    }
    let body = Limited::new(body, MOST).collect();
    let body = tokio::time::timeout(std::time::Duration::from_secs(15), body).await;
    let Ok(Ok(body)) = body else {
        return Err(Refused::InvalidRequest("The form is too large or did not arrive"));
    };
    let body = body.to_bytes();
    let form = read_form(&body)?;
    let (id, secret) = credentials(&parts.headers, &form)?;
    match form.get("grant_type").map(Cow::as_ref) {
        None => return Err(Refused::InvalidRequest("grant_type is missing")),
        Some("client_credentials") => {}
        Some(_) => return Err(Refused::UnsupportedGrantType),
    }
    let known = app.tokens.authenticate(&id, &secret).await?.ok_or(Refused::InvalidClient)?;
    let held = known.client.scopes;
    let scopes = granted(held, form.get("scope").map(Cow::as_ref))?;
    let token =
        app.tokens.issue(&known.client, scopes).map_err(|error| Refused::from(StoreError::broken(error)))?;
    Ok(json!({ "access_token": token, "token_type": "Bearer", "expires_in": LIFETIME, "scope": scopes }))
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

/// Reads the form: an empty parameter counts as absent, a repeated one is refused, an unknown one ignored
/// (RFC 6749 §3.2).
fn read_form(body: &[u8]) -> Result<HashMap<Cow<'_, str>, Cow<'_, str>>, Refused> {
    let mut form = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(body).filter(|(_, value)| !value.is_empty()) {
        if form.insert(name, value).is_some() {
            return Err(Refused::InvalidRequest("A parameter appears twice"));
        }
    }
    Ok(form)
}

/// The client's id and secret, from the form or from HTTP Basic, not both (RFC 6749 §2.3.1).
fn credentials(
    headers: &HeaderMap,
    form: &HashMap<Cow<'_, str>, Cow<'_, str>>,
) -> Result<(String, Secret), Refused> {
    let in_form = (form.get("client_id"), form.get("client_secret"));
    match (headers.get(header::AUTHORIZATION), in_form) {
        (None, (Some(id), Some(secret))) => Ok((id.to_string(), Secret::new(secret.as_ref()))),
        (None, (None, _)) => Err(Refused::InvalidRequest("client_id is missing")),
        (None, (Some(_), None)) => Err(Refused::InvalidRequest("client_secret is missing")),
        (Some(_), (_, Some(_))) => Err(Refused::InvalidRequest(
            "Send the secret in the form or in the Authorization header, not in both",
        )),
        (Some(value), (id, None)) => {
            let (basic_id, secret) =
                basic(value.to_str().unwrap_or_default()).ok_or(Refused::InvalidClient)?;
            match id.is_none_or(|id| *id == basic_id) {
                true => Ok((basic_id, secret)),
                false => Err(Refused::InvalidRequest("client_id differs from the Authorization header")),
            }
        }
    }
}

/// HTTP Basic: base64 of id and secret, each form-encoded before (RFC 6749 §2.3.1).
fn basic(value: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let pair = format!("v={}", text.replace('&', "%26"));
        let (_, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
        Some(value.into_owned())
    };
    Some((decode(id)?, Secret::new(decode(secret)?)))
}

/// The public keys by which anyone can check our tokens.
async fn key_set(State(app): State<App>) -> Response {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(app.tokens.key_set())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn basic_credentials_are_decoded_whether_or_not_they_were_encoded() {
        for secret in ["orqs_ab", "orqs%5Fab"] {
            let header = format!("Basic {}", STANDARD.encode(format!("cli_1:{secret}")));
            let (id, secret) = basic(&header).expect("credentials");
            assert_eq!((id.as_str(), secret.expose()), ("cli_1", "orqs_ab"));
        }
        assert!(basic("Basic !!!").is_none());
        assert!(basic("Bearer abc").is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_sent_as_a_form_is_read_or_refused(body in any::<Vec<u8>>(), header in "\\PC{0,60}") {
            if let Ok(form) = read_form(&body) {
                prop_assert!(form.values().all(|value| !value.is_empty()));
            }
            drop(basic(&header));
        }

        #[test]
        fn nobody_is_granted_more_than_the_client_holds(held in 0_usize..256, asked in "[a-z:. ]{0,40}") {
            let held: Scopes = orquiva_core::Scope::ALL.iter().enumerate().filter(|(at, _)| held & 1 << at != 0).map(|(_, scope)| *scope).collect();
            if let Ok(granted) = granted(held, Some(&asked)) {
                prop_assert!(held.cover(granted));
            }
        }
    }
}
