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
mod me;
mod reports;
mod usage;
mod webhooks;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

/// Every route of the API, without its version.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/employees", get(employees::list).post(employees::create))
        .route("/employees/batch", post(batch::create))
        .route("/employees/export", get(export::get))
        .route("/employees/{id}", get(employees::get).patch(employees::change).delete(employees::delete))
        .route("/employees/{id}/reports", get(reports::list))
        .route(
            "/employees/{id}/terminate",
            post(employment::terminate).delete(employment::cancel_termination),
        )
        .route("/employees/{id}/rehire", post(employment::rehire).delete(employment::cancel_rehire))
        .route("/employees/by-ref/{system}/{value}", get(employees::by_ref::get).put(employees::by_ref::put))
        .route("/custom-fields", get(custom_fields::list).post(custom_fields::create))
        .route(
            "/custom-fields/{slug}",
            get(custom_fields::get).patch(custom_fields::change).delete(custom_fields::delete),
        )
        .route("/departments", get(departments::list).post(departments::create))
        .route(
            "/departments/{id}",
            get(departments::get).patch(departments::change).delete(departments::delete),
        )
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/webhooks/{id}", get(webhooks::get).delete(webhooks::delete))
        .route("/events", get(events::list))
        .route("/events/stream", get(events::stream))
        .route("/events/{id}", get(events::get))
        .route("/deliveries", get(deliveries::list))
        .route("/me", get(me::get))
        .route("/me/coverage", get(coverage::get))
        .route("/usage", get(usage::list))
}
