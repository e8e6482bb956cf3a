//! The API for our own pages, in this process: the same routes, checks and problems as from outside, without a token,
//! as whoever is signed in. A page can therefore do nothing that the API would refuse.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use orquiva_core::{Code, Language};
use orquiva_store::StoreError;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::api;
use crate::app::App;
use crate::caller::Caller;
use crate::insider::Insider;
use crate::problem::Problem;

/// The API, from inside.
#[derive(Clone)]
pub struct Inside(Router);

/// What the API answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// 200, 201, 202 or 204.
    pub status: StatusCode,
    /// The entity tag of what is shown, for the `If-Match` of a change.
    pub etag: String,
    /// The body; null if there is none.
    pub body: Value,
}

/// What the API refused.
#[derive(Clone, Debug)]
pub struct Refused(Arc<Problem>);

impl Refused {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.0.status()
    }

    /// As the API tells it (RFC 9457), in this language.
    pub fn told(&self, language: Language) -> Value {
        self.0.told(language)
    }

    /// The answer to a request from outside, through the frame around all routes.
    pub fn into_problem(self) -> axum::response::Response {
        axum::response::IntoResponse::into_response(Problem::clone(&self.0))
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self(Arc::new(error.into()))
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(Arc::new(problem))
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self(Arc::new(code.into()))
    }
}

impl Inside {
    /// The API over these parts.
    pub fn new(app: App) -> Self {
        Self(api::router().split_for_parts().0.with_state(app))
    }

    /// Reads: `path` without its version, with its query.
    pub async fn read(&self, who: Insider, path: &str) -> Result<Reply, Refused> {
        self.ask(who, Method::GET, path, &[], None).await
    }

    /// Changes: `headers` are those of a write, such as `if-match` and `idempotency-key`.
    pub async fn write(
        &self,
        who: Insider,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Reply, Refused> {
        self.ask(who, method, path, headers, body).await
    }

    async fn ask(
        &self,
        who: Insider,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Reply, Refused> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        let mut request = request.body(body).map_err(|_| Refused::from(Code::NotFound))?;
        request.extensions_mut().insert(Caller::from(who));
        let response = self.0.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        if let Some(problem) = response.extensions().get::<Arc<Problem>>() {
            return Err(Refused(problem.clone()));
        }
        let (parts, body) = response.into_parts();
        let etag = parts.headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default();
        let bytes =
            body.collect().await.map_err(|error| Refused(Arc::new(Problem::internal(error))))?.to_bytes();
        if !parts.status.is_success() {
            // A path that no route takes, such as one with an id that is none.
            return Err(Code::NotFound.into());
        }
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => {
                serde_json::from_slice(&bytes).map_err(|error| Refused(Arc::new(Problem::internal(error))))?
            }
        };
        Ok(Reply { status: parts.status, etag: etag.to_owned(), body })
    }
}
