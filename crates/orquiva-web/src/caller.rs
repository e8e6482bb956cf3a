//! Who calls: the bearer token (RFC 6750), the scopes that it carries, and the rate that its company may go.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use orquiva_core::id::{ClientId, CompanyId};
use orquiva_core::{Code, Plan, Scope, Scopes};

use crate::app::App;
use crate::limits::Decision;
use crate::problem::Problem;
use crate::tokens::Grant;

/// Whoever sent this request, with a live token and within the rate.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) company: CompanyId,
    pub(crate) client: ClientId,
    scopes: Scopes,
}

impl Caller {
    /// Refuses a caller who does not hold `scope`, and names it (RFC 6750 §3.1).
    pub(crate) fn must(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        let scope = scope.as_str();
        let challenge = format!(r#"Bearer realm="orquiva", error="insufficient_scope", scope="{scope}""#);
        Err(Problem::from(Code::InsufficientScope).with(header::WWW_AUTHENTICATE, &challenge).because(
            format!("Falta el permiso «{scope}». Pida un token que lo incluya o añádalo al cliente de API."),
            format!("The scope `{scope}` is missing. Ask for a token with it, or add it to the API client."),
        ))
    }
}

/// The layer of [`authenticate`] has let the request in; this hands it to the handler.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::internal("a route without authentication"))
    }
}

/// Lets a request in: 401 without a live token, 429 over the plan's rate. Every answer tells the rate,
/// and a 304 costs nothing.
pub(crate) async fn authenticate(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let grant = match bearer(&app, request.headers()).await {
        Ok(grant) => grant,
        Err(problem) => return problem.into_response(),
    };
    let quota = grant.plan.per_minute();
    let decision = grant.window.admit(quota, app.clock.elapsed());
    let Grant { company, client, scopes, plan, .. } = *grant;
    let mut response = match decision.admitted {
        true => {
            request.extensions_mut().insert(Caller { company, client, scopes });
            next.run(request).await
        }
        false => Problem::from(Code::RateLimited)
            .with(header::RETRY_AFTER, &decision.reset.to_string())
            .into_response(),
    };
    if response.status() == StatusCode::NOT_MODIFIED {
        grant.window.give_back();
    }
    tell_rate(response.headers_mut(), plan, decision);
    response
}

async fn bearer(app: &App, headers: &HeaderMap) -> Result<Arc<Grant>, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (given.next(), given.next());
    if second.is_some() {
        let challenge = r#"Bearer realm="orquiva", error="invalid_request""#;
        return Err(Problem::from(Code::InvalidRequest).with(header::WWW_AUTHENTICATE, challenge));
    }
    let token = first.and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    // Without a token there is no error to name (RFC 6750 §3.1).
    let Some(token) = token else {
        return Err(
            Problem::from(Code::InvalidToken).with(header::WWW_AUTHENTICATE, r#"Bearer realm="orquiva""#)
        );
    };
    app.tokens.check(token).await?.ok_or_else(|| {
        let challenge =
            r#"Bearer realm="orquiva", error="invalid_token", error_description="The access token is unknown, expired or revoked""#;
        Problem::from(Code::InvalidToken).with(header::WWW_AUTHENTICATE, challenge)
    })
}

/// The headers of draft-ietf-httpapi-ratelimit-headers-11, and the older ones that many clients read.
fn tell_rate(headers: &mut HeaderMap, plan: Plan, decision: Decision) {
    let (name, quota) = (plan.as_str(), plan.per_minute());
    let Decision { remaining, reset, .. } = decision;
    let mut tell = |name: &'static str, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    tell("ratelimit-policy", format!("\"{name}\";q={quota};w=60"));
    tell("ratelimit", format!("\"{name}\";r={remaining};t={reset}"));
    tell("x-ratelimit-limit", quota.to_string());
    tell("x-ratelimit-remaining", remaining.to_string());
    tell("x-ratelimit-reset", reset.to_string());
}
