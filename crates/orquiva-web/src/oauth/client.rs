//! Which client asks: by its secret in the form or in HTTP Basic (RFC 6749 §2.3.1), or by a text that it signed
//! (RFC 7523 §2.2), and never by two of them at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Limited};
use orquiva_core::id::ClientId;
use orquiva_core::{Secret, assertion};

use super::refused::Refused;
use crate::address;
use crate::app::App;
use crate::gate::Gate;
use crate::tokens::{Evidence, Known};

/// Most bytes of a form.
const MOST: usize = 32 * 1024;

/// The time that a client has to send it.
const TIME: Duration = Duration::from_secs(15);

/// What is asked, and who asks.
pub(super) struct Asked {
    pub(super) form: Form,
    pub(super) headers: HeaderMap,
    pub(super) known: Arc<Known>,
}

/// The parameters of a form.
pub(super) type Form = HashMap<String, String>;

/// Reads a form and makes sure of its client: within the limit of `gate`, itself, and from where it may come.
pub(super) async fn ask(app: &App, gate: &Gate, request: Request) -> Result<Asked, Refused> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let ip = address::of(&app.trusted_proxies, &parts.extensions, &headers);
    let at = app.clock.elapsed();
    if let Err(seconds) = gate.pass_address(ip, at) {
        if headers.contains_key("x-forwarded-for") {
            gate.suspect_proxy(at);
        }
        return Err(Refused::SlowDown(seconds));
    }
    if !is_form(&headers) {
        return Err(Refused::InvalidRequest("Send a form: Content-Type: application/x-www-form-urlencoded"));
    }
    let body = tokio::time::timeout(TIME, Limited::new(body, MOST).collect()).await;
    let Ok(Ok(body)) = body else {
        return Err(Refused::InvalidRequest("The form is too large or did not arrive"));
    };
    let form = read_form(&body.to_bytes())?;
    let (id, evidence) = credentials(&headers, &form)?;
    gate.pass_client(&id, ip, at).map_err(Refused::SlowDown)?;
    let Some(known) = app.tokens.authenticate(&id, &evidence).await? else {
        if let Some(id) = ClientId::parse(&id) {
            tracing::info!(client.id = %id, "a client could not authenticate");
        }
        return Err(Refused::InvalidClient);
    };
    let allowed = &known.client.terms.allowed_ips;
    if !(allowed.is_empty() || ip.is_some_and(|ip| allowed.contain(ip))) {
        return Err(Refused::UnauthorizedClient("This client may not be used from this address"));
    }
    Ok(Asked { form, headers, known })
}

fn is_form(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Reads the form: an empty parameter counts as absent, a repeated one is refused, an unknown one ignored
/// (RFC 6749 §3.2).
fn read_form(body: &[u8]) -> Result<Form, Refused> {
    let mut form = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(body).filter(|(_, value)| !value.is_empty()) {
        if form.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Refused::InvalidRequest("A parameter appears twice"));
        }
    }
    Ok(form)
}

/// The client's id and what shows that it is itself.
fn credentials(headers: &HeaderMap, form: &Form) -> Result<(String, Evidence), Refused> {
    let authorization = headers.get(header::AUTHORIZATION);
    let given = |name: &str| form.get(name);
    match (authorization, given("client_secret"), given("client_assertion")) {
        (Some(value), None, None) => {
            let (id, secret) = basic(value.to_str().unwrap_or_default()).ok_or(Refused::InvalidClient)?;
            match given("client_id").is_none_or(|named| *named == id) {
                true => Ok((id, Evidence::Secret(secret))),
                false => Err(Refused::InvalidRequest("client_id differs from the Authorization header")),
            }
        }
        (None, Some(secret), None) => match given("client_id") {
            Some(id) => Ok((id.clone(), Evidence::Secret(Secret::new(secret)))),
            None => Err(Refused::InvalidRequest("client_id is missing")),
        },
        (None, None, Some(text)) => asserted(form, text),
        (None, None, None) if given("client_id").is_none() => {
            Err(Refused::NotAuthenticated("client_id and client_secret are missing"))
        }
        (None, None, None) => Err(Refused::NotAuthenticated("client_secret is missing")),
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (None, Some(_), Some(_)) => {
            Err(Refused::InvalidRequest(
                "Authenticate in one way only: Authorization header, client_secret or client_assertion",
            ))
        }
    }
}

fn asserted(form: &Form, text: &str) -> Result<(String, Evidence), Refused> {
    if form.get("client_assertion_type").map(String::as_str) != Some(assertion::TYPE) {
        return Err(Refused::InvalidRequest(
            "client_assertion_type has to be urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ));
    }
    let id = assertion::subject(text).ok_or(Refused::InvalidClient)?;
    match form.get("client_id").is_none_or(|named| *named == id) {
        true => Ok((id, Evidence::Assertion(text.to_owned()))),
        false => Err(Refused::InvalidRequest("client_id differs from the client_assertion")),
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
        fn a_client_authenticates_in_one_way_or_not_at_all(
            header in any::<bool>(), id in any::<bool>(), secret in any::<bool>(), signed in any::<bool>(),
        ) {
            let mut headers = HeaderMap::new();
            if header {
                headers.insert(header::AUTHORIZATION, http::HeaderValue::from_static("Basic Y2xpXzE6eA=="));
            }
            let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"sub":"cli_1"}"#);
            let text = format!("e30.{claims}.AAAA");
            let given = [("client_id", "cli_1", id), ("client_secret", "x", secret), ("client_assertion", text.as_str(), signed)];
            let mut form: Form = given.into_iter().filter(|(.., given)| *given).map(|(name, value, _)| (name.to_owned(), value.to_owned())).collect();
            form.insert("client_assertion_type".to_owned(), assertion::TYPE.to_owned());
            let ways = usize::from(header) + usize::from(secret) + usize::from(signed);
            let read = credentials(&headers, &form);
            prop_assert_eq!(read.is_ok(), ways == 1 && (id || header || signed));
        }
    }
}
