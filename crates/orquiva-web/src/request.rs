//! The frame around every request: its id, its language, and the problem it may end in.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use orquiva_core::id::{Id, Kind};
use orquiva_core::{Code, Language};

use crate::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names the request, and turns a [`Problem`] into the answer. A client's own id is kept if it is sane. Where TLS alone
/// reaches us, every answer says so (ASVS 3.4.1).
pub(crate) async fn frame(State(is_secure): State<bool>, mut request: Request, next: Next) -> Response {
    let id = match request.headers().get(&REQUEST_ID).filter(|id| is_sane(id)) {
        Some(id) => id.clone(),
        None => new_id(),
    };
    let Reader(language) = Reader::of(request.headers());
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = next.run(request).await;
    let problem = response.extensions_mut().remove::<Arc<Problem>>();
    if let Some(problem) = problem.or_else(|| refused_by_the_framework(&response)) {
        let allow = response.headers_mut().remove(header::ALLOW);
        let rate = std::mem::take(response.headers_mut());
        response = problem.render(id.to_str().unwrap_or_default(), language);
        // What was put on the answer on its way out (the rate limit's headers) stays.
        for (name, value) in rate.into_iter().filter_map(|(name, value)| Some((name?, value))) {
            response.headers_mut().entry(name).or_insert(value);
        }
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_secure {
        let always = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, always);
    }
    response
}

/// The problem of a request that no handler saw: a path that is not UTF-8 is refused with a text.
fn refused_by_the_framework(response: &Response) -> Option<Arc<Problem>> {
    let is_text = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    (response.status() == StatusCode::BAD_REQUEST && is_text).then(|| Arc::new(Code::InvalidRequest.into()))
}

/// Whoever reads the answer, by the language of their choice.
pub(crate) struct Reader(pub(crate) Language);

impl Reader {
    fn of(headers: &HeaderMap) -> Self {
        let lists = headers.get_all(header::ACCEPT_LANGUAGE).iter();
        let lists: Vec<_> = lists.filter_map(|list| list.to_str().ok()).collect();
        Self(Language::accepted(&lists.join(",")))
    }
}

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// Up to 128 letters, digits and `._-`: what can be logged and searched for as it is.
fn is_sane(id: &HeaderValue) -> bool {
    (1..=128).contains(&id.len())
        && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// A name for a request that brought none. It identifies, it protects nothing.
#[expect(clippy::disallowed_methods, reason = "a request's name is no part of any result")]
fn new_id() -> HeaderValue {
    let id = format!("req_{}", uuid::Uuid::now_v7().simple());
    HeaderValue::from_str(&id).expect("hexadecimal digits are a header value")
}

/// The id that a path names. A text that is no id of its kind names nothing, like an id that was never given.
pub(crate) fn known<K: Kind>(text: &str) -> Result<Id<K>, Problem> {
    Id::parse(text).ok_or_else(|| Code::NotFound.into())
}

/// No route matched.
pub(crate) async fn nothing_here(uri: Uri) -> Problem {
    let first = uri.path().split('/').nth(1).unwrap_or_default();
    let version =
        first.strip_prefix('v').filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    match version {
        Some(version) if version != "1" => Code::UnknownVersion.into(),
        Some(_) | None => Code::NotFound.into(),
    }
}

/// The path exists, the method does not; the router adds `Allow`.
pub(crate) async fn wrong_method() -> Problem {
    Code::MethodNotAllowed.into()
}

/// A panic is a fault of ours, told like any other.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(format!("panic: {}", message.unwrap_or("without a message"))).into_response()
}
