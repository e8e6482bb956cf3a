//! Whoever asks for a page, signed in or not: in which language they read, and what their forms are tied to.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, HOST, USER_AGENT};
use http::request::Parts;
use orquiva_core::{Chance, Language, Secret};
use subtle::ConstantTimeEq as _;

use crate::console::Console;
use crate::cookie;

/// Most bytes of what a browser says of itself that are kept.
const LONGEST_AGENT: usize = 200;

/// Whoever asks for a page.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// In which they read.
    pub(crate) language: Language,
    /// Whether they chose it on this browser.
    pub(crate) chose_language: bool,
    /// `light` or `dark`, if they chose one.
    pub(crate) theme: &'static str,
    /// What the scripts and styles of the answer are marked with (CSP).
    pub(crate) nonce: String,
    /// What their forms have to carry.
    pub(crate) form_token: String,
    /// From where they come.
    pub(crate) address: Option<IpAddr>,
    /// What their browser says of itself.
    pub(crate) agent: String,
    /// The host that they asked for.
    pub(crate) host: String,
    /// The path and query that they asked for.
    pub(crate) path: String,
    /// The cookie that their browser gets, if it had none.
    pub(crate) new_cookie: Option<String>,
}

impl Guest {
    /// Whoever sends a request with this head.
    pub(crate) fn of(console: &Console, parts: &Parts) -> Self {
        let headers = &parts.headers;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let session = cookie::read(console, headers, cookie::SESSION);
        let tied = session.or_else(|| cookie::read(console, headers, cookie::GUEST)).map(str::to_owned);
        let new_cookie = tied.is_none().then(|| random(console.chance.as_ref()));
        let tied = tied.or_else(|| new_cookie.clone()).unwrap_or_default();
        let mut agent = text(USER_AGENT).to_owned();
        agent.truncate(agent.floor_char_boundary(LONGEST_AGENT));
        Self {
            language: language(console, headers, text(ACCEPT_LANGUAGE)),
            chose_language: cookie::read(console, headers, cookie::LANGUAGE).is_some(),
            theme: match cookie::read(console, headers, cookie::THEME) {
                Some("light") => "light",
                Some("dark") => "dark",
                Some(_) | None => "",
            },
            nonce: random(console.chance.as_ref()),
            form_token: form_token(console, &tied),
            address: orquiva_web::address_of(&console.trusted_proxies, &parts.extensions, headers),
            agent,
            host: parts.uri.authority().map_or_else(|| text(HOST).to_owned(), ToString::to_string),
            path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            new_cookie,
        }
    }

    /// Whether a form that carries `token` was made for this browser.
    pub(crate) fn made(&self, token: &str) -> bool {
        self.form_token.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

/// The layer around all pages made it; this hands it to the handler.
impl<S: Sync> FromRequestParts<S> for Guest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().expect("the layer around all pages knows who asks"))
    }
}

/// Spanish, unless the browser or a choice made before wants English more.
fn language(console: &Console, headers: &HeaderMap, accepted: &str) -> Language {
    let chosen = cookie::read(console, headers, cookie::LANGUAGE).and_then(Language::parse);
    chosen.unwrap_or_else(|| match accepted.is_empty() {
        true => Language::Spanish,
        false => Language::accepted(accepted),
    })
}

/// What the forms of a browser with this cookie carry.
fn form_token(console: &Console, tied: &str) -> String {
    hex(&console.key.hash(&Secret::new(format!("form/{tied}"))))
}

/// 256 random bits in hexadecimal.
pub(crate) fn random(chance: &dyn Chance) -> String {
    let mut bytes = [0; 32];
    chance.fill(&mut bytes);
    hex(&bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
