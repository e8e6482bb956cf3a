//! What a write answers, and the conditions under which it is answered.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use orquiva_core::Employee;

/// What a write answers. It is kept under the request's idempotency key.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) body: String,
    pub(crate) replayed: bool,
}

impl Answer {
    /// Something new, where it is found from now on.
    pub(crate) fn created(location: String, etag: Option<String>, body: String) -> Self {
        Self { status: 201, location: Some(location), etag, body, replayed: false }
    }

    /// An employee as it stands.
    pub(crate) fn employee(employee: &Employee) -> Self {
        let body = to_json(employee);
        Self { status: 200, location: None, etag: Some(employee.etag()), body, replayed: false }
    }

    /// Done, and there is nothing to show.
    pub(crate) fn nothing() -> Self {
        Self { status: 204, location: None, etag: None, body: String::new(), replayed: false }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = match self.body.is_empty() {
            true => status.into_response(),
            false => (status, [(header::CONTENT_TYPE, "application/json")], self.body).into_response(),
        };
        let mut tell = |name: header::HeaderName, value: Option<String>| {
            if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
                response.headers_mut().insert(name, value);
            }
        };
        tell(header::LOCATION, self.location);
        tell(header::ETAG, self.etag);
        let replayed = header::HeaderName::from_static("idempotent-replayed");
        tell(replayed, self.replayed.then(|| "true".to_owned()));
        response
    }
}

/// Whether a list of entity tags, as in `If-Match`, names `etag` or is `*` (RFC 9110 §13.1.1, strong comparison).
pub(crate) fn names(headers: &HeaderMap, name: header::HeaderName, etag: &str) -> Option<bool> {
    let lists: Vec<_> = headers.get_all(name).iter().filter_map(|list| list.to_str().ok()).collect();
    let mut tags = lists.iter().flat_map(|list| list.split(',')).map(str::trim);
    (!lists.is_empty()).then(|| tags.any(|tag| tag == "*" || tag == etag))
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our own types are always JSON")
}
