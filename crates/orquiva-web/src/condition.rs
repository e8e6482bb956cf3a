//! Entity tags and the conditions that name them: `If-Match` keeps a stale write out, `If-None-Match` makes an
//! unchanged read free (RFC 9110 §13).

use std::hash::{DefaultHasher, Hasher as _};

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use orquiva_core::Code;

use crate::problem::Problem;

/// The version of a resource that a write is meant for, and those that it is not meant for (`If-None-Match`): there `*`
/// is any, so that the write only creates.
#[derive(Clone, Debug)]
pub(crate) struct IfMatch {
    meant: Option<Vec<String>>,
    not_meant: Option<Vec<String>>,
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let meant = tags(&parts.headers, header::IF_MATCH);
        Ok(Self { meant, not_meant: tags(&parts.headers, header::IF_NONE_MATCH) })
    }
}

impl IfMatch {
    /// As it stands in the `ifMatch` of a batch's item.
    pub(crate) fn listed(tags: Option<&str>) -> Self {
        Self { meant: tags.map(|tags| split(tags).collect()), not_meant: None }
    }

    /// Whether what is there, if anything is, is meant.
    pub(crate) fn holds_for(&self, etag: Option<&str>) -> bool {
        etag.map_or(self.meant.is_none(), |etag| self.holds(etag))
    }

    /// Whether the resource with this entity tag is meant; without a condition, whichever there is. A weak tag means
    /// nothing that is to be written to, and as much as a strong one where it keeps a write out (RFC 9110 §13.1).
    pub(crate) fn holds(&self, etag: &str) -> bool {
        let meant = self.meant.as_ref().is_none_or(|tags| tags.iter().any(|tag| means(tag, etag)));
        let named = |tag: &String| means(strong(tag), etag);
        meant && !self.not_meant.as_ref().is_some_and(|tags| tags.iter().any(named))
    }

    /// The same of a resource that somebody else finds, by its entity tag.
    pub(crate) fn by<R>(self, etag: impl Fn(&R) -> String) -> impl Fn(&R) -> bool {
        move |found| self.holds(&etag(found))
    }

    /// Refuses a write to the resource with this entity tag if it is not meant.
    pub(crate) fn must_hold(&self, etag: &str) -> Result<(), Problem> {
        if self.holds(etag) { Ok(()) } else { Err(Code::PreconditionFailed.into()) }
    }
}

/// A tag that a proxy may have weakened on its way, as it was.
fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The entity tag of a version as it is shown to who may not see all of it: another one, so that who may from now on
/// is sent the whole; and another one again where other fields of the company's `own` are hidden, because the answer
/// names them. As a condition of a write it means the same version.
pub(crate) fn partial(etag: &str, own: &[String]) -> String {
    let start = start_of_partial(etag);
    match own.is_empty() {
        true => format!("{start}\""),
        false => format!("{start}-{:016x}\"", hash(own.join(",").as_bytes())),
    }
}

fn start_of_partial(etag: &str) -> String {
    format!("{}-redacted", etag.trim_end_matches('"'))
}

/// Whether `tag` of a condition means the version of `etag`.
fn means(tag: &str, etag: &str) -> bool {
    let rest = tag.strip_prefix(&start_of_partial(etag));
    tag == "*" || tag == etag || rest.is_some_and(|rest| rest == "\"" || rest.starts_with('-'))
}

/// The entity tag of something without a version: the same as long as it is shown in the same bytes.
pub(crate) fn etag_of(shown: &[u8]) -> String {
    format!("\"{:016x}\"", hash(shown))
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hash = DefaultHasher::new();
    hash.write(bytes);
    hash.finish()
}

/// Gives every read of JSON an entity tag, and answers 304 to who has it already.
pub(crate) async fn answer_if_changed(request: Request, next: Next) -> Response {
    if !matches!(request.method().as_str(), "GET" | "HEAD") {
        return next.run(request).await;
    }
    let known = tags(request.headers(), header::IF_NONE_MATCH);
    let (mut parts, mut body) = next.run(request).await.into_parts();
    let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if parts.status != StatusCode::OK || !is_json || body.size_hint().exact().is_none() {
        return Response::from_parts(parts, body);
    }
    if !parts.headers.contains_key(header::ETAG) {
        let Ok(whole) = body.collect().await else {
            return Problem::internal("an answer's body broke off").into_response();
        };
        let whole = whole.to_bytes();
        if let Ok(etag) = HeaderValue::try_from(etag_of(&whole)) {
            parts.headers.insert(header::ETAG, etag);
        }
        body = Body::from(whole);
    }
    let etag = parts.headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default();
    // Weak comparison (RFC 9110 §13.1.2).
    let is_known = |tag: &String| tag == "*" || strong(tag) == etag;
    if known.is_some_and(|tags| tags.iter().any(is_known)) {
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return (StatusCode::NOT_MODIFIED, parts.headers).into_response();
    }
    Response::from_parts(parts, body)
}

/// The entity tags that a header lists; nothing without the header.
fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Vec<String>> {
    headers.contains_key(&name).then(|| {
        let lists = headers.get_all(&name).iter().filter_map(|list| list.to_str().ok());
        lists.flat_map(split).collect()
    })
}

fn split(list: &str) -> impl Iterator<Item = String> {
    list.split(',').map(|tag| tag.trim().to_owned())
}
