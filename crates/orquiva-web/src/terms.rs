//! The terms on which a write is carried out: once under its key, or as a rehearsal that stores nothing.

use aws_lc_rs::digest::{Context, SHA256};
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use orquiva_core::Code;

use crate::params;
use crate::problem::Problem;

/// How a write is to be carried out. Only a request makes them and [`App::write`] takes nothing less, so no
/// handler can forget a key or carry out a dry run.
///
/// [`App::write`]: crate::app::App::write
#[derive(Debug)]
pub(crate) struct Terms {
    /// Its idempotency key, if it has one.
    pub(crate) once: Option<Once>,
    /// `?dryRun=true`: answer what would be, and store nothing.
    pub(crate) dry_run: bool,
}

/// An idempotency key and the request that it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    pub(crate) key: String,
    /// SHA-256 of method, path without version, query and body.
    pub(crate) fingerprint: Vec<u8>,
}

impl Once {
    /// The place for which the answer is sealed.
    pub(crate) fn place(&self) -> String {
        format!("idempotency/{}", self.key)
    }
}

impl Terms {
    /// The terms of a request with this body.
    pub(crate) fn of(parts: &Parts, body: &[u8]) -> Result<Self, Problem> {
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let once = idempotency_key(&parts.headers)?.map(|key| {
            let mut hash = Context::new(&SHA256);
            for part in
                [parts.method.as_str(), " ", path.strip_prefix("/v1").unwrap_or(path), "?", query, "\n"]
            {
                hash.update(part.as_bytes());
            }
            hash.update(body);
            Once { key, fingerprint: hash.finish().as_ref().to_vec() }
        });
        Ok(Self { once, dry_run: params::is_dry_run(query) })
    }
}

/// Of a write without a body.
impl<S: Sync> FromRequestParts<S> for Terms {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts, b"")
    }
}

/// The key, quoted as the draft has it or bare as many clients send it: 1 to 255 visible ASCII characters. Of two
/// keys nobody knows which is meant.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(value) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Code::InvalidIdempotencyKey.into());
    }
    let text = value.to_str().unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let valid = (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    match valid {
        true => Ok(Some(key.to_owned())),
        false => Err(Code::InvalidIdempotencyKey.into()),
    }
}
