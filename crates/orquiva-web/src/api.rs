//! The API, one resource a file.

mod deliveries;
mod employees;
mod events;
mod webhooks;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use orquiva_core::Employee;

use crate::app::{Answer, App};

/// Every route of the API, without its version.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/employees", get(employees::list).post(employees::create))
        .route("/employees/{id}", get(employees::get).patch(employees::change).delete(employees::delete))
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/webhooks/{id}", get(webhooks::get).delete(webhooks::delete))
        .route("/events", get(events::list))
        .route("/events/{id}", get(events::get))
        .route("/deliveries", get(deliveries::list))
}

impl Answer {
    /// Something new, where it is found from now on.
    fn created(location: String, etag: Option<String>, body: String) -> Self {
        Self { status: 201, location: Some(location), etag, body, replayed: false }
    }

    /// An employee as it stands.
    fn employee(employee: &Employee) -> Self {
        let body = to_json(employee);
        Self { status: 200, location: None, etag: Some(employee.etag()), body, replayed: false }
    }

    /// Done, and there is nothing to show.
    fn nothing() -> Self {
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
fn names(headers: &HeaderMap, name: header::HeaderName, etag: &str) -> Option<bool> {
    let lists: Vec<_> = headers.get_all(name).iter().filter_map(|list| list.to_str().ok()).collect();
    let mut tags = lists.iter().flat_map(|list| list.split(',')).map(str::trim);
    (!lists.is_empty()).then(|| tags.any(|tag| tag == "*" || tag == etag))
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our own types are always JSON")
}
