//! Who calls: the access token (RFC 6750, RFC 9449), the scopes that it carries, from where it may come, and the
//! rate that its company may go.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use orquiva_core::event::Actor;
use orquiva_core::id::CompanyId;
use orquiva_core::{Code, Plan, Scope, Scopes, dpop};

use crate::address;
use crate::app::App;
use crate::feed::Pass;
use crate::insider::Insider;
use crate::limits::Verdict;
use crate::note::Note;
use crate::problem::Problem;
use crate::tokens::Grant;

/// Whoever sent this request: a client with a live token and within the rate, or someone in the console.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) company: CompanyId,
    pub(crate) actor: Actor,
    pub(crate) scopes: Scopes,
    /// What the audit is told of what they do.
    pub(crate) note: Option<Arc<Note>>,
    /// From where they write; of who only reads it is not asked.
    from: Option<IpAddr>,
    scheme: Scheme,
}

impl From<Insider> for Caller {
    fn from(insider: Insider) -> Self {
        let Insider { company, actor, scopes, note } = insider;
        Self { company, actor, scopes, note: note.map(Arc::new), from: None, scheme: Scheme::Bearer }
    }
}

impl Caller {
    /// The same caller, of whose doing the audit is told; whoever is in the console has said more of it already.
    pub(crate) fn tells(&self, action: &str, target: impl ToString) -> Self {
        let note = || {
            Arc::new(Note {
                actor_name: String::new(),
                address: self.from.map(|from| from.to_string()),
                action: action.to_owned(),
                target: target.to_string(),
                before: None,
            })
        };
        Self { note: Some(self.note.clone().unwrap_or_else(note)), ..self.clone() }
    }

    /// Whether the caller holds `scope`.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }

    /// Refuses a caller who does not hold `scope`, and names it (RFC 6750 §3.1).
    pub(crate) fn must(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        let scope = scope.as_str();
        let scheme = self.scheme.name();
        let challenge = format!(r#"{scheme} realm="orquiva", error="insufficient_scope", scope="{scope}""#);
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

/// For a request that stays open: its token, which was let in and has to hold for as long.
impl FromRequestParts<App> for Pass {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let changes = app.tokens.changes();
        let sent = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = sent.and_then(|value| value.split_once(' ')).map_or("", |(_, token)| token.trim());
        let grant = app.tokens.check(token).await?.ok_or(Code::InvalidToken)?;
        let from = address::of(&app.trusted_proxies, &parts.extensions, &parts.headers);
        Ok(Self { token: token.into(), grant, from, changes })
    }
}

/// Lets a request in: 401 without a live token, 403 from where its client may not come, 429 over the plan's rate
/// or the client's share of it. Every answer tells the rate, and a 304 costs nothing.
pub(crate) async fn authenticate(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let uri = request.extensions().get::<OriginalUri>().map_or(request.uri(), |uri| &uri.0);
    let sent = Sent { method: request.method(), path: uri.path(), headers: request.headers() };
    let grant = match token_of(&app, sent).await {
        Ok(grant) => grant,
        Err(problem) => return problem.into_response(),
    };
    if !grant.allows(|| address::of(&app.trusted_proxies, request.extensions(), request.headers())) {
        grant.meter.count(StatusCode::FORBIDDEN.as_u16(), app.clock.now());
        return Problem::from(Code::AddressNotAllowed).into_response();
    }
    let at = app.clock.elapsed();
    let mut verdict = grant.budget.admit(at);
    let Grant { company, client, scopes, plan, .. } = *grant;
    let mut response = match verdict.admitted() {
        true => {
            let scheme = if grant.bound_to.is_some() { Scheme::Dpop } else { Scheme::Bearer };
            let actor = Actor::Client { id: client };
            let from = match request.method().is_safe() {
                true => None,
                false => address::of(&app.trusted_proxies, request.extensions(), request.headers()),
            };
            request.extensions_mut().insert(Caller { company, actor, scopes, note: None, from, scheme });
            next.run(request).await
        }
        false => over_the_rate(verdict).into_response(),
    };
    if response.status() == StatusCode::NOT_MODIFIED {
        grant.budget.give_back(at);
        verdict = grant.budget.look(at);
    }
    grant.meter.count(response.status().as_u16(), app.clock.now());
    tell_rate(response.headers_mut(), plan, grant.budget.quota, verdict);
    response
}

fn over_the_rate(verdict: Verdict) -> Problem {
    let problem =
        Problem::from(Code::RateLimited).with(header::RETRY_AFTER, &verdict.retry_after().to_string());
    match (verdict.pool.admitted, verdict.share) {
        (true, Some((quota, _))) => problem.because(
            format!("Este cliente puede hacer {quota} peticiones por minuto, su parte del plan. Espere los segundos de Retry-After y siga con espera exponencial."),
            format!("This client may make {quota} requests a minute, its share of the plan. Wait the seconds of Retry-After, and back off exponentially."),
        ),
        (true, None) | (false, _) => problem,
    }
}

/// What of a request is looked at before it is let in.
#[derive(Clone, Copy)]
struct Sent<'r> {
    method: &'r Method,
    path: &'r str,
    headers: &'r HeaderMap,
}

/// The way in which a token was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }

    /// The refusal by RFC 6750 §3 and RFC 9449 §7.1, with the way to the metadata (RFC 9728 §5.1). Without a token
    /// there is no error to name.
    fn refuse(self, app: &App, error: Option<(&str, &str)>) -> Problem {
        let name = self.name();
        let rest = match self {
            Self::Bearer => String::new(),
            Self::Dpop => format!(r#", algs="{}""#, orquiva_core::jws::ALGORITHMS.join(" ")),
        };
        let error = error
            .map(|(code, what)| format!(r#", error="{code}", error_description="{what}""#))
            .unwrap_or_default();
        let metadata = format!("{}/.well-known/oauth-protected-resource", app.public_url);
        let challenge = format!(r#"{name} realm="orquiva"{error}{rest}, resource_metadata="{metadata}""#);
        Problem::from(Code::InvalidToken).with(header::WWW_AUTHENTICATE, &challenge)
    }
}

async fn token_of(app: &App, request: Sent<'_>) -> Result<Arc<Grant>, Problem> {
    let mut given = request.headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (given.next(), given.next());
    if second.is_some() {
        let challenge = r#"Bearer realm="orquiva", error="invalid_request""#;
        return Err(Problem::from(Code::InvalidRequest).with(header::WWW_AUTHENTICATE, challenge));
    }
    let sent = first.and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        let scheme = is("bearer").then_some(Scheme::Bearer).or(is("dpop").then_some(Scheme::Dpop))?;
        Some((scheme, token.trim()))
    });
    let Some((scheme, token)) = sent else { return Err(Scheme::Bearer.refuse(app, None)) };
    let unknown = ("invalid_token", "The access token is unknown, expired or revoked");
    let grant = app.tokens.check(token).await?.ok_or_else(|| scheme.refuse(app, Some(unknown)))?;
    match (scheme, &grant.bound_to) {
        (Scheme::Bearer, None) => Ok(grant),
        (Scheme::Dpop, Some(key)) => {
            let proven = prove(app, request, token, key);
            proven.map_err(|what| Scheme::Dpop.refuse(app, Some(("invalid_dpop_proof", what))))?;
            Ok(grant)
        }
        (Scheme::Bearer, Some(_)) => {
            let what = "This token is bound to a key: send it as DPoP, with a proof";
            Err(Scheme::Dpop.refuse(app, Some(("invalid_token", what))))
        }
        (Scheme::Dpop, None) => {
            let what = "This token is bound to no key: send it as Bearer";
            Err(Scheme::Bearer.refuse(app, Some(("invalid_token", what))))
        }
    }
}

/// Checks that whoever sends a bound token has its key (RFC 9449 §7).
fn prove(app: &App, request: Sent<'_>, token: &str, key: &str) -> Result<(), &'static str> {
    let proof = only_proof(request.headers)?.ok_or("The DPoP proof is missing")?;
    let url = format!("{}{}", app.public_url, request.path);
    let about = dpop::About { method: request.method.as_str(), url: &url, token: Some(token) };
    let now = app.clock.now();
    let proof = dpop::check(proof, about, now)?;
    if proof.thumbprint != key {
        return Err("The DPoP proof is of another key than the token");
    }
    match app.spend_proof(&proof, now) {
        true => Ok(()),
        false => Err("The DPoP proof was used before"),
    }
}

/// The one proof that came with a request, if any did.
pub(crate) fn only_proof(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let mut given = headers.get_all("dpop").iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(proof), None) => proof.to_str().map(Some).map_err(|_| "The DPoP proof is no JWT"),
        (Some(_), Some(_)) => Err("There is more than one DPoP proof"),
    }
}

/// The headers of draft-ietf-httpapi-ratelimit-headers-11, the client's share as a policy of its own; and the
/// older ones that many clients read, of whichever leaves less.
fn tell_rate(headers: &mut HeaderMap, plan: Plan, quota: u32, verdict: Verdict) {
    let mut tell = |name: &'static str, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    let (name, pool) = (plan.as_str(), verdict.pool);
    let policy = format!("\"{name}\";q={quota};w=60");
    let stand = format!("\"{name}\";r={};t={}", pool.remaining, pool.reset);
    let (most, tighter) = match verdict.share {
        None => {
            tell("ratelimit-policy", policy);
            tell("ratelimit", stand);
            (quota, pool)
        }
        Some((own, share)) => {
            tell("ratelimit-policy", format!("{policy}, \"client\";q={own};w=60"));
            tell("ratelimit", format!("{stand}, \"client\";r={};t={}", share.remaining, share.reset));
            if share.remaining <= pool.remaining { (own, share) } else { (quota, pool) }
        }
    };
    tell("x-ratelimit-limit", most.to_string());
    tell("x-ratelimit-remaining", tighter.remaining.to_string());
    tell("x-ratelimit-reset", tighter.reset.to_string());
}
