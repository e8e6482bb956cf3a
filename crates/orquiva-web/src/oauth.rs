//! OAuth 2.0: the token endpoint (RFC 6749 §4.4, client credentials), its neighbours for revoking (RFC 7009) and
//! asking about tokens (RFC 7662), and what tells clients of them (RFC 8414, RFC 9728, RFC 7517).

mod client;
mod introspection;
mod metadata;
mod refused;
mod revocation;
mod token;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Every route about tokens, each with its description.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(token::issue))
        .routes(routes!(revocation::revoke))
        .routes(routes!(introspection::introspect))
        .routes(routes!(metadata::key_set))
        .routes(routes!(metadata::authorization_server))
        .routes(routes!(metadata::protected_resource))
}
