//! Everything HTTP: tokens, the API, problems, limits.

mod address;
mod answer;
mod api;
mod app;
mod body;
mod caller;
mod chain;
mod condition;
mod cursor;
mod feed;
mod gate;
mod inside;
mod insider;
mod keys;
mod limits;
pub mod lines;
mod list;
mod note;
mod oauth;
mod openapi;
mod params;
mod pick;
mod problem;
mod progress;
mod replay;
mod request;
mod server;
mod strict;
mod terms;
mod tokens;
mod upkeep;
mod usage;
mod view;
mod write;

pub use address::{Peer, of as address_of, subscriber};
pub use app::{App, Exporting, Parts};
pub use chain::{Break, Finding};
pub use feed::Feed;
pub use gate::TokenLimits;
pub use inside::{Inside, Refused, Reply};
pub use insider::Insider;
pub use note::Note;
pub use server::serve;
pub use tokens::Tokens;

use axum::{Router, middleware};

/// Every route, and those of `pages`, which are for people. The API is served under `/v1` and, as the company's pinned
/// version, without it.
pub fn router(app: App, pages: Router) -> Router {
    let is_secure = app.public_url.starts_with("https://");
    let (api, api_described) = api::router().split_for_parts();
    let (open, open_described) = oauth::router().merge(api::public()).split_for_parts();
    let api = api
        .route_layer(middleware::from_fn(condition::answer_if_changed))
        .route_layer(middleware::from_fn_with_state(app.clone(), caller::authenticate));
    Router::new()
        .nest("/v1", api.clone())
        .merge(api)
        .merge(open)
        .merge(openapi::router(api_described, open_described))
        .fallback(request::nothing_here)
        .method_not_allowed_fallback(request::wrong_method)
        .with_state(app)
        .merge(pages)
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(request::panicked))
        .layer(middleware::from_fn_with_state(is_secure, request::frame))
}
