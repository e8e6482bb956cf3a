//! The one error type at the edge: RFC 9457, in the caller's language.

use std::error::Error;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use orquiva_core::custom_field::MAX_FIELDS;
use orquiva_core::{Code, Fault, FieldError, Language};
use orquiva_people::Refusal;
use orquiva_store::StoreError;
use serde_json::{Value, json};

/// Seconds after which a database that was away is worth another try.
const RETRY_UNAVAILABLE: u64 = 1;

/// A failed request, as the client will see it, and its cause for our log.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: Code,
    errors: Vec<FieldError>,
    detail: Option<(String, String)>,
    fact: Option<Box<(&'static str, Value)>>,
    headers: Box<HeaderMap>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self { code, errors: Vec::new(), detail: None, fact: None, headers: Box::default(), cause: None }
    }
}

impl Problem {
    /// Fields of the body are wrong.
    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Code::InvalidFields.into() }
    }

    /// Parameters of the query are wrong.
    pub(crate) fn parameters(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Code::InvalidParameter.into() }
    }

    /// A fault of ours; the cause is for the log, never for the client.
    pub(crate) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(Arc::from(cause.into())), ..Code::Internal.into() }
    }

    /// Says more exactly what happened, in Spanish and in English.
    #[must_use]
    pub(crate) fn because(mut self, spanish: String, english: String) -> Self {
        self.detail = Some((spanish, english));
        self
    }

    /// Adds something that a program can go by (RFC 9457 §3.2).
    #[must_use]
    pub(crate) fn telling(mut self, name: &'static str, fact: impl Into<Value>) -> Self {
        self.fact = Some(Box::new((name, fact.into())));
        self
    }

    /// Adds a header to the answer. The text is ours and ASCII.
    #[must_use]
    pub(crate) fn with(mut self, name: header::HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Says that the fields are those of the part of the body at `pointer`.
    #[must_use]
    pub(crate) fn within(mut self, pointer: &str) -> Self {
        for error in &mut self.errors {
            error.pointer.insert_str(0, pointer);
        }
        self
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> u16 {
        self.code.status()
    }

    /// What is said of it, in the answer or for one item among others.
    pub(crate) fn told(&self, language: Language) -> Value {
        let code = self.code;
        let mut problem = json!({
            "type": format!("https://docs.orquiva.com/problems/{}", code.as_str()),
            "title": code.title(language),
            "status": code.status(),
            "detail": match &self.detail {
                Some((spanish, english)) => language.pick(spanish.as_str(), english.as_str()),
                None => code.detail(language),
            },
            "code": code.as_str(),
        });
        if !self.errors.is_empty() {
            let error = |error: &FieldError| json!({ "pointer": error.pointer, "code": error.fault.code(), "detail": error.fault.detail(language) });
            problem["errors"] = self.errors.iter().map(error).collect();
        }
        if let Some((name, fact)) = self.fact.as_deref() {
            problem[*name] = fact.clone();
        }
        problem
    }

    /// The answer. A failure of ours is logged here, once, with its causes.
    pub(crate) fn render(&self, request: &str, language: Language) -> Response {
        if let Some(cause) = &self.cause {
            let mut text = cause.to_string();
            let mut next = cause.source();
            while let Some(deeper) = next {
                text = format!("{text}: {deeper}");
                next = deeper.source();
            }
            match self.code {
                Code::Internal => tracing::error!(request.id = request, cause = text, "a request failed"),
                _ => tracing::warn!(request.id = request, cause = text, "a request was refused"),
            }
        }
        let mut problem = self.told(language);
        problem["requestId"] = json!(request);
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [
            (header::CONTENT_TYPE, "application/problem+json"),
            (header::CONTENT_LANGUAGE, language.tag()),
            (header::CACHE_CONTROL, "no-store"),
        ];
        (status, headers, (*self.headers).clone(), problem.to_string()).into_response()
    }
}

/// The frame around all routes renders it: only there language and request id are known.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = StatusCode::from_u16(self.code.status()).unwrap_or_default().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Code::NotFound.into(),
            StoreError::Duplicate("Idempotency-Key") => Code::IdempotencyInProgress.into(),
            StoreError::Duplicate(field) => Self {
                errors: vec![FieldError { pointer: format!("/{field}"), fault: Fault::Taken }],
                ..Code::Conflict.into()
            },
            StoreError::Unavailable(_) => Self { cause: Some(Arc::new(error)), ..Code::Unavailable.into() }
                .with(header::RETRY_AFTER, &RETRY_UNAVAILABLE.to_string()),
            StoreError::Broken(_) => Self::internal(error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fields(errors) => Self::fields(errors),
            Refusal::Parameters(errors) => Self::parameters(errors),
            Refusal::InUse { people, departments } => Self::from(Code::DepartmentInUse).because(
                format!(
                    "Tiene {people} personas y {departments} departamentos directamente debajo. Añada «?replaceWith=dep_…» para pasarlos a otro departamento."
                ),
                format!(
                    "{people} people are in it, and {departments} departments stand directly under it. Add `?replaceWith=dep_…` to move them to another department."
                ),
            ),
            Refusal::TooManyFields => Self::from(Code::LimitReached).because(
                format!("Una empresa puede añadir {MAX_FIELDS} campos. Borre uno que ya no use."),
                format!("A company may add {MAX_FIELDS} fields. Delete one that is no longer used."),
            ),
            Refusal::FieldInUse { people } => Self::from(Code::CustomFieldInUse).because(
                format!("{people} personas tienen un valor. Añada «?force=true» para borrarlo con sus valores."),
                format!("{people} people have a value. Add `?force=true` to remove it with its values."),
            ),
            Refusal::Stale => Code::PreconditionFailed.into(),
            Refusal::Overtaken => StoreError::Unavailable(refusal.to_string()).into(),
            Refusal::Not(code) => code.into(),
            Refusal::Store(error) => error.into(),
        }
    }
}
