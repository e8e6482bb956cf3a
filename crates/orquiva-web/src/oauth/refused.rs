//! The errors of OAuth (RFC 6749 §5.2). They are never problem+json, and their texts are ASCII.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use orquiva_store::StoreError;
use serde_json::{Value, json};

/// Why a request at the token endpoint, or beside it, was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    InvalidRequest(&'static str),
    InvalidClient,
    /// No way of authentication was used, which is `invalid_client` as well (§5.2); what is missing.
    NotAuthenticated(&'static str),
    UnauthorizedClient(&'static str),
    UnsupportedGrantType,
    InvalidScope(String),
    /// RFC 9449 §5.
    InvalidDpopProof(&'static str),
    /// Over the endpoint's own limit; seconds until one more is let through. The code is that of RFC 8628 §3.5,
    /// the only registered one that says it.
    SlowDown(i64),
    Unavailable,
}

impl Refused {
    fn answer(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::InvalidRequest(what) => (StatusCode::BAD_REQUEST, "invalid_request", what),
            Self::InvalidClient => {
                let what = "Unknown client or wrong credentials, or the client or its company has ended";
                (StatusCode::UNAUTHORIZED, "invalid_client", what)
            }
            Self::NotAuthenticated(what) => (StatusCode::UNAUTHORIZED, "invalid_client", what),
            Self::UnauthorizedClient(what) => (StatusCode::BAD_REQUEST, "unauthorized_client", what),
            Self::UnsupportedGrantType => {
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", "Use grant_type=client_credentials")
            }
            Self::InvalidScope(what) => (StatusCode::BAD_REQUEST, "invalid_scope", what),
            Self::InvalidDpopProof(what) => (StatusCode::BAD_REQUEST, "invalid_dpop_proof", what),
            Self::SlowDown(_) => {
                let what = "Too many requests for tokens. Keep a token for its hour, and try again after Retry-After seconds";
                (StatusCode::TOO_MANY_REQUESTS, "slow_down", what)
            }
            Self::Unavailable => {
                let what = "The service is not available at the moment. Try again after Retry-After seconds";
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", what)
            }
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(cause = %error, "a request about tokens failed");
        Self::Unavailable
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, error, description) = self.answer();
        let mut response = with_no_store(status, json!({ "error": error, "error_description": description }));
        let (name, value) = match self {
            Self::InvalidClient | Self::NotAuthenticated(_) => {
                (header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="orquiva""#))
            }
            Self::SlowDown(seconds) => (header::RETRY_AFTER, HeaderValue::from(seconds)),
            Self::Unavailable => (header::RETRY_AFTER, HeaderValue::from_static("1")),
            Self::InvalidRequest(_)
            | Self::UnauthorizedClient(_)
            | Self::UnsupportedGrantType
            | Self::InvalidScope(_)
            | Self::InvalidDpopProof(_) => return response,
        };
        response.headers_mut().insert(name, value);
        response
    }
}

/// An answer that nobody may keep.
pub(super) fn with_no_store(status: StatusCode, body: Value) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    (status, headers, Json(body)).into_response()
}
