//! OAuth 2.0: the token endpoint (RFC 6749 §4.4, client credentials), its neighbours for revoking (RFC 7009) and
//! asking about tokens (RFC 7662), and what tells clients of them (RFC 8414, RFC 9728, RFC 7517).

mod client;
mod introspection;
mod metadata;
mod refused;
mod revocation;
mod token;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/oauth/token", post(token::issue))
        .route("/oauth/revoke", post(revocation::revoke))
        .route("/oauth/introspect", post(introspection::introspect))
        .route("/.well-known/jwks.json", get(metadata::key_set))
        .route("/.well-known/oauth-authorization-server", get(metadata::authorization_server))
        .route("/.well-known/oauth-protected-resource", get(metadata::protected_resource))
}
