//! Cookies: one for the session, one that ties a form to its browser before there is a session, and two that remember
//! how someone likes to look at the console.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::console::Console;

/// The token of a session.
pub(crate) const SESSION: &str = "orq_session";

/// What the forms of a browser without a session are tied to.
pub(crate) const GUEST: &str = "orq_guest";

/// What someone who is at the OpenID Connect provider comes back with, sealed.
pub(crate) const OPENID: &str = "orq_openid";

/// `es` or `en`.
pub(crate) const LANGUAGE: &str = "orq_language";

/// `light` or `dark`.
pub(crate) const THEME: &str = "orq_theme";

/// The name under which a browser keeps it. Over TLS the prefix keeps it from being set by another host or over plain
/// http (RFC 6265bis §4.1.3.2); without TLS, on a laptop, no browser would take it so.
fn full(console: &Console, name: &str) -> String {
    match console.is_secure() {
        true => format!("__Host-{name}"),
        false => name.to_owned(),
    }
}

/// What a browser sent under this name; nothing if it is there twice.
pub(crate) fn read<'h>(console: &Console, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let name = full(console, name);
    let lists = headers.get_all(COOKIE).iter().filter_map(|list| list.to_str().ok());
    let mut found = lists
        .flat_map(|list| list.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(n, _)| *n == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        (_, Some(_)) | (None, None) => None,
    }
}

/// Lets a browser keep something until it is closed, or for `seconds`; for none it forgets it.
pub(crate) fn set(
    console: &Console,
    name: &str,
    value: &str,
    seconds: Option<i64>,
) -> (http::HeaderName, HeaderValue) {
    let secure = if console.is_secure() { "; Secure" } else { "" };
    let age = seconds.map_or(String::new(), |seconds| format!("; Max-Age={seconds}"));
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}", full(console, name));
    (SET_COOKIE, HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("")))
}
