//! What clients and resource servers find by themselves: the endpoints (RFC 8414), the resource (RFC 9728), and
//! the keys by which anyone can check our tokens (RFC 7517).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header;
use orquiva_core::Scope;
use orquiva_core::jws::ALGORITHMS;
use serde_json::{Value, json};

use crate::app::App;

/// Where a person reads about it.
const DOCUMENTATION: &str = "https://docs.orquiva.com";

/// How clients authenticate.
const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];

/// The public keys.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "OAuth",
    operation_id = "getKeySet",
    security(()),
    responses((status = 200, body = ref("KeySet")))
)]
pub(super) async fn key_set(State(app): State<App>) -> Response {
    public(app.tokens.key_set())
}

/// The endpoints and what they can do. There is no authorization endpoint, and strict clients want
/// `response_types_supported` all the same.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "OAuth",
    operation_id = "getAuthorizationServer",
    security(()),
    responses((status = 200, body = ref("AuthorizationServer")))
)]
pub(super) async fn authorization_server(State(app): State<App>) -> Response {
    let issuer = &app.public_url;
    public(json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "scopes_supported": scopes(),
        "response_types_supported": ["none"],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": METHODS,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "service_documentation": DOCUMENTATION,
    }))
}

/// The API, and who issues tokens for it.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-protected-resource",
    tag = "OAuth",
    operation_id = "getProtectedResource",
    security(()),
    responses((status = 200, body = ref("ProtectedResource")))
)]
pub(super) async fn protected_resource(State(app): State<App>) -> Response {
    let url = &app.public_url;
    public(json!({
        "resource": url,
        "authorization_servers": [url],
        "jwks_uri": format!("{url}/.well-known/jwks.json"),
        "scopes_supported": scopes(),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "resource_name": "Orquiva",
        "resource_documentation": DOCUMENTATION,
    }))
}

fn scopes() -> Vec<&'static str> {
    Scope::ALL.iter().map(|scope| scope.as_str()).collect()
}

fn public(document: Value) -> Response {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(document)).into_response()
}
