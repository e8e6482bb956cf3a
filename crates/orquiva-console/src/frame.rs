//! The layer around all pages: who asks, why there may be no page, and what protects every answer.

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::console::Console;
use crate::cookie;
use crate::guest::Guest;
use crate::page::{Page, html};
use crate::stop::Stop;

/// A page that says why there is no other.
#[derive(Template)]
#[template(path = "stop.html")]
struct StopPage {
    page: Page,
    title: String,
    text: String,
}

/// Finds out who asks, shows a [`Stop`] as a page, and puts on every answer what protects it.
pub(crate) async fn finish(State(console): State<Console>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let guest = Guest::of(&console, &parts);
    parts.extensions.insert(guest.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(stop) = response.extensions_mut().remove::<Stop>() {
        note(&stop, guest.path.split('?').next().unwrap_or_default());
        let (status, title, text) = stop.told(guest.language);
        let page = Page::for_guest(&guest, &title);
        response = html(&StopPage { page, title, text });
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    protect(&console, &guest, &mut response);
    response
}

/// Logs what somebody should look at (ASVS 16.3.2, 16.3.3).
fn note(stop: &Stop, path: &str) {
    match stop {
        Stop::Forbidden => tracing::warn!(path, "a member asked for what their role does not allow"),
        Stop::Forged => tracing::warn!(path, "a form that no page of ours made was refused"),
        Stop::Busy => tracing::warn!(path, "too many tries from one address"),
        Stop::Refused(refused) if refused.status() == 500 => {
            tracing::error!(path, "a page could not be shown");
        }
        Stop::SignIn(_)
        | Stop::Confirm(_)
        | Stop::Company
        | Stop::Suspended
        | Stop::Invitation
        | Stop::NotFound
        | Stop::TooLarge
        | Stop::Refused(_) => {}
    }
}

/// What every page carries (ASVS 3.4, 14.3.2).
fn protect(console: &Console, guest: &Guest, response: &mut Response) {
    let nonce = &guest.nonce;
    let csp = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; font-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
    );
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.entry(name).or_insert(value);
        }
    };
    set(header::CONTENT_SECURITY_POLICY, &csp);
    set(header::CACHE_CONTROL, "no-store");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=(), publickey-credentials-get=(self), publickey-credentials-create=(self)",
    );
    if let Some(new) = &guest.new_cookie {
        let (name, value) = cookie::set(console, cookie::GUEST, new, None);
        headers.append(name, value);
    }
}
