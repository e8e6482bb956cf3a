//! The API, one resource a file.

mod batch;
mod coverage;
mod custom_fields;
mod deliveries;
mod departments;
mod employees;
mod employment;
mod events;
mod export;
mod health;
mod me;
mod notices;
mod replays;
mod reports;
mod usage;
mod webhooks;

pub(crate) use employees::SORTS;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Every route of the API, without its version, each with its description.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(employees::list, employees::create))
        .routes(routes!(employees::get, employees::change, employees::delete))
        .routes(routes!(batch::create))
        .routes(routes!(export::get))
        .routes(routes!(reports::list))
        .routes(routes!(employment::terminate, employment::cancel_termination))
        .routes(routes!(employment::rehire, employment::cancel_rehire))
        .routes(routes!(employees::by_ref::get, employees::by_ref::put))
        .routes(routes!(custom_fields::list, custom_fields::create))
        .routes(routes!(custom_fields::get, custom_fields::change, custom_fields::delete))
        .routes(routes!(departments::list, departments::create))
        .routes(routes!(departments::get, departments::change, departments::delete))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::get, webhooks::change, webhooks::delete))
        .routes(routes!(webhooks::secret::rotate))
        .routes(routes!(webhooks::trial::create))
        .routes(routes!(events::list))
        .routes(routes!(events::stream))
        .routes(routes!(events::get))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::get))
        .routes(routes!(deliveries::retry))
        .routes(routes!(replays::create))
        .routes(routes!(replays::list))
        .routes(routes!(replays::get))
        .routes(routes!(replays::cancel))
        .routes(routes!(health::get))
        .routes(routes!(notices::list))
        .routes(routes!(notices::read))
        .routes(routes!(me::get))
        .routes(routes!(coverage::get))
        .routes(routes!(usage::list))
}

/// What anyone may ask for, without a token.
pub(crate) fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(webhooks::secret::key_set))
}
