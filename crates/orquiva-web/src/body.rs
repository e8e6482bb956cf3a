//! The body of a write: JSON, whatever its content type says as long as it may be JSON, and the idempotency key.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use orquiva_core::Code;
use serde_json::Value;

use crate::problem::Problem;

/// Most bytes of a body.
const MOST: usize = 1024 * 1024;

/// The time that a client has to send it.
const TIME: Duration = Duration::from_secs(15);

/// A JSON body and the key under which the request is carried out once.
pub(crate) struct Body {
    pub(crate) json: Value,
    pub(crate) once: Option<Once>,
}

/// An idempotency key and the request that it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    pub(crate) key: String,
    /// SHA-256 of method, path without version, and body.
    pub(crate) fingerprint: Vec<u8>,
}

impl Once {
    /// The place for which the answer is sealed.
    pub(crate) fn place(&self) -> String {
        format!("idempotency/{}", self.key)
    }
}

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        may_be_json(request.headers())?;
        let key = idempotency_key(request.headers())?;
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let bytes = read(request).await?;
        let json = serde_json::from_slice(&bytes).map_err(|error| malformed(&error))?;
        let once = key.map(|key| {
            let mut hash = Context::new(&SHA256);
            for part in [method.as_str(), " ", path.strip_prefix("/v1").unwrap_or(&path), "\n"] {
                hash.update(part.as_bytes());
            }
            hash.update(&bytes);
            Once { key, fingerprint: hash.finish().as_ref().to_vec() }
        });
        Ok(Self { json, once })
    }
}

/// Accepts JSON, merge patches, plain text (what `fetch` calls a string) and no type at all.
fn may_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let refused = || {
        Problem::from(Code::UnsupportedMediaType).with(
            header::HeaderName::from_static("accept-patch"),
            "application/merge-patch+json, application/json",
        )
    };
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().map_err(|_| refused())?.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let utf8 = parts
        .filter_map(|part| part.strip_prefix("charset="))
        .all(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii"));
    let known = ["", "application/json", "application/merge-patch+json", "text/plain"].contains(&essence);
    if known && utf8 { Ok(()) } else { Err(refused()) }
}

/// The key, quoted as the draft has it or bare as many clients send it: 1 to 255 visible ASCII characters.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let valid = (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    match valid {
        true => Ok(Some(key.to_owned())),
        false => Err(Code::InvalidIdempotencyKey.into()),
    }
}

async fn read(request: Request) -> Result<Bytes, Problem> {
    let body = Limited::new(request.into_body(), MOST);
    let collected =
        tokio::time::timeout(TIME, body.collect()).await.map_err(|_| Problem::from(Code::RequestTimeout))?;
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| match error.is::<LengthLimitError>() {
        true => Code::BodyTooLarge.into(),
        false => Code::InvalidRequest.into(),
    })
}

fn malformed(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    Problem::from(Code::MalformedJson).because(
        format!("El JSON deja de ser válido en la línea {line}, columna {column}."),
        format!("The JSON stops being valid at line {line}, column {column}."),
    )
}
