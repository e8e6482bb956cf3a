//! The body of a write: JSON, whatever its content type says as long as it may be JSON, with the write's terms.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use orquiva_core::Code;
use serde_json::{Map, Value};

use crate::problem::Problem;
use crate::strict;
use crate::terms::Terms;

/// Most bytes of a body.
const MOST: usize = 1024 * 1024;

/// The time that a client has to send it.
const TIME: Duration = Duration::from_secs(15);

/// A JSON body and the terms on which it is carried out.
pub(crate) struct Body {
    pub(crate) json: Value,
    pub(crate) terms: Terms,
}

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        may_be_json(request.headers())?;
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        let json = strict::read(&bytes).map_err(|error| malformed(&error))?;
        Ok(Self { json, terms: Terms::of(&parts, &bytes)? })
    }
}

/// The body of a write that may well have none: then it is an empty object.
pub(crate) struct OptionalBody(pub(crate) Body);

impl<S: Sync> FromRequest<S> for OptionalBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        let json = match bytes.is_empty() {
            true => Value::Object(Map::new()),
            false => {
                may_be_json(&parts.headers)?;
                strict::read(&bytes).map_err(|error| malformed(&error))?
            }
        };
        Ok(Self(Body { json, terms: Terms::of(&parts, &bytes)? }))
    }
}

/// Accepts JSON, merge patches, plain text (what `fetch` calls a string) and no type at all; nothing compressed
/// (RFC 9110 §8.4).
fn may_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return Err(Problem::from(Code::UnsupportedMediaType).with(header::ACCEPT_ENCODING, "identity"));
    }
    let refused = || {
        Problem::from(Code::UnsupportedMediaType).with(
            header::HeaderName::from_static("accept-patch"),
            "application/merge-patch+json, application/json",
        )
    };
    let mut given = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(value) = given.next() else { return Ok(()) };
    if given.next().is_some() {
        return Err(refused());
    }
    let text = value.to_str().map_err(|_| refused())?.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let utf8 = parts
        .filter_map(|part| part.strip_prefix("charset="))
        .all(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii"));
    let known = ["", "application/json", "application/merge-patch+json", "text/plain"].contains(&essence);
    if known && utf8 { Ok(()) } else { Err(refused()) }
}

async fn read(body: axum::body::Body) -> Result<Bytes, Problem> {
    let body = Limited::new(body, MOST);
    let collected =
        tokio::time::timeout(TIME, body.collect()).await.map_err(|_| Problem::from(Code::RequestTimeout))?;
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| match error.is::<LengthLimitError>() {
        true => Code::BodyTooLarge.into(),
        false => Code::InvalidRequest.into(),
    })
}

fn malformed(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    if error.is_data() {
        return Problem::from(Code::MalformedJson).because(
            format!("Un nombre aparece dos veces en el mismo objeto: línea {line}, columna {column}."),
            format!("A name stands twice in one object: line {line}, column {column}."),
        );
    }
    Problem::from(Code::MalformedJson).because(
        format!("El JSON deja de ser válido en la línea {line}, columna {column}."),
        format!("The JSON stops being valid at line {line}, column {column}."),
    )
}
