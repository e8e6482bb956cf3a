//! What a write answers.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// What a write answers. It is kept under the request's idempotency key.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) body: String,
    /// Whether it was given before and nothing was done now.
    pub(crate) replayed: bool,
    /// Whether nothing was stored: it tells what would be.
    pub(crate) dry_run: bool,
    /// What was there before, for the audit.
    pub(crate) before: Option<Value>,
}

impl Answer {
    /// Something new, where it is found from now on.
    pub(crate) fn created(location: String, etag: Option<String>, body: String) -> Self {
        Self { status: 201, location: Some(location), etag, body, ..Self::default() }
    }

    /// Something as it stands, which has this `ETag`.
    pub(crate) fn shown(etag: String, body: &impl serde::Serialize) -> Self {
        Self { status: 200, etag: Some(etag), body: to_json(body), ..Self::default() }
    }

    /// Something of which there is only one version.
    pub(crate) fn done(body: String) -> Self {
        Self { status: 200, body, ..Self::default() }
    }

    /// Done, and there is nothing to show.
    pub(crate) fn nothing() -> Self {
        Self { status: 204, ..Self::default() }
    }

    /// In the place of what was there before, as the audit tells it.
    pub(crate) fn instead_of(self, before: &impl serde::Serialize) -> Self {
        Self { before: Some(json!(before)), ..self }
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
        for (name, said) in [("idempotent-replayed", self.replayed), ("dry-run", self.dry_run)] {
            tell(header::HeaderName::from_static(name), said.then(|| "true".to_owned()));
        }
        response
    }
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our own types are always JSON")
}
