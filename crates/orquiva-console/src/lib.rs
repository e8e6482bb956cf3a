//! The console under `/admin`: server-rendered pages for those who run a company, in Spanish and English.
//!
//! A page reads and changes through [`Inside`], the API in this process, so that it can do nothing that the API would
//! refuse; what the API does not have (clients, members, sessions) it does itself, in one transaction with its entry in
//! the audit. Whoever comes in is a [`Guest`] or a [`Member`]; a form can be read only as a [`Form`], which has been
//! checked to be ours.
//!
//! [`Inside`]: orquiva_web::Inside
//! [`Guest`]: guest::Guest
//! [`Member`]: member::Member
//! [`Form`]: form::Form

mod assets;
mod audit;
mod clients;
mod console;
mod cookie;
mod departments;
mod events;
mod form;
mod frame;
mod gate;
mod guest;
mod home;
mod html;
mod kept;
mod kinds;
mod look;
mod member;
mod members;
mod next;
mod page;
mod people;
mod profile;
mod provider;
mod settings;
mod sheet;
mod show;
mod sign_in;
mod sign_up;
mod stop;
mod ticket;
mod told;
mod usage;
mod webhooks;

pub use console::{Console, SignUp};
pub use people::import::work::Importer;
pub use provider::{Fetch, Fetched, Provider, is_safe};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{any, get, post};

/// Every page of the console.
pub fn pages(console: Console) -> Router {
    Router::new()
        .route("/admin", get(home::show))
        .route("/admin/sign-up", get(sign_up::show).post(sign_up::create))
        .route("/admin/sign-in", get(sign_in::show).post(sign_in::create))
        .route("/admin/sign-in/code", post(sign_in::code::create))
        .route("/admin/sign-in/passkey", post(sign_in::passkey::create))
        .route("/admin/sign-in/openid", get(sign_in::openid::start))
        .route("/admin/sign-in/openid/back", get(sign_in::openid::back))
        .route("/admin/sign-out", post(sign_in::end))
        .route("/admin/confirm", get(sign_in::confirm::show).post(sign_in::confirm::create))
        .route("/admin/companies", get(sign_in::companies::show).post(sign_in::companies::enter))
        .route("/admin/look", post(look::change))
        .route("/admin/profile", get(profile::show).post(profile::change))
        .route("/admin/profile/password", post(profile::password))
        .route("/admin/profile/totp", get(profile::totp::show).post(profile::totp::create))
        .route("/admin/profile/totp/remove", post(profile::totp::remove))
        .route("/admin/profile/recovery", post(profile::totp::recovery))
        .route("/admin/profile/passkeys", get(profile::passkeys::show).post(profile::passkeys::create))
        .route("/admin/profile/passkeys/remove", post(profile::passkeys::remove))
        .route("/admin/profile/identity/remove", post(sign_in::openid::unlink))
        .route("/admin/profile/sessions/end", post(profile::end_sessions))
        .route("/admin/api-clients", get(clients::list).post(clients::create::post))
        .route("/admin/api-clients/new", get(clients::create::show))
        .route("/admin/api-clients/{id}", get(clients::detail).post(clients::change))
        .route("/admin/api-clients/{id}/rotate", get(clients::rotate::show).post(clients::rotate::post))
        .route("/admin/api-clients/{id}/revoke", get(clients::revoke::show).post(clients::revoke::post))
        .merge(hooks())
        .route("/admin/employees", get(people::list).post(people::hire::post))
        .route("/admin/employees/new", get(people::hire::show))
        .route("/admin/employees/chart", get(people::chart::show))
        .route("/admin/employees/chart.svg", get(people::chart::download))
        .route("/admin/employees/export.csv", get(people::export::get))
        .route(
            "/admin/employees/import",
            get(people::import::upload::show)
                .post(people::import::upload::post)
                .layer(DefaultBodyLimit::max(form::MOST_OF_FILE)),
        )
        .route("/admin/employees/import/{id}", get(people::import::show))
        .route("/admin/employees/import/{id}/check", post(people::import::check))
        .route("/admin/employees/import/{id}/again", post(people::import::again))
        .route("/admin/employees/import/{id}/run", post(people::import::run))
        .route("/admin/employees/import/{id}/undo", post(people::import::undo))
        .route("/admin/employees/import/{id}/discard", post(people::import::discard))
        .route("/admin/employees/find", get(people::find::show))
        .route("/admin/employees/{id}", get(people::person::show))
        .route("/admin/employees/{id}/change", get(people::change::show).post(people::change::post))
        .route("/admin/employees/{id}/references", post(people::references::post))
        .route(
            "/admin/employees/{id}/terminate",
            get(people::employment::show_end).post(people::employment::end),
        )
        .route("/admin/employees/{id}/terminate/cancel", post(people::employment::cancel_end))
        .route(
            "/admin/employees/{id}/rehire",
            get(people::employment::show_return).post(people::employment::take_back),
        )
        .route("/admin/employees/{id}/rehire/cancel", post(people::employment::cancel_return))
        .route("/admin/employees/{id}/delete", get(people::remove::show).post(people::remove::post))
        .route("/admin/departments", get(departments::list).post(departments::create::post))
        .route("/admin/departments/new", get(departments::create::show))
        .route("/admin/departments/{id}", get(departments::detail::show).post(departments::detail::change))
        .route(
            "/admin/departments/{id}/delete",
            get(departments::remove::show).post(departments::remove::post),
        )
        .route("/admin/settings", get(settings::show).post(settings::change))
        .route("/admin/settings/fields", post(settings::fields::create))
        .route("/admin/settings/fields/new", get(settings::fields::new))
        .route("/admin/settings/fields/{slug}", get(settings::fields::show).post(settings::fields::change))
        .route(
            "/admin/settings/fields/{slug}/delete",
            get(settings::fields::delete::show).post(settings::fields::delete::post),
        )
        .route("/admin/settings/members", get(members::list).post(members::invite::post))
        .route("/admin/settings/members/new", get(members::invite::show))
        .route("/admin/settings/members/{id}", get(members::change::show).post(members::change::post))
        .route("/admin/settings/members/{id}/remove", get(members::change::ask).post(members::change::remove))
        .route("/admin/settings/invitations/{id}/withdraw", post(members::invite::withdraw))
        .route("/admin/invitation/{token}", get(members::join::show).post(members::join::post))
        .route("/admin/usage", get(usage::show))
        .route("/admin/usage/export/{what}", get(usage::export::get))
        .route("/admin/audit", get(audit::list))
        .route("/admin/audit/check", get(audit::check::show).post(audit::check::post))
        .route("/admin/audit/export/{form}", get(audit::export::get))
        .route("/admin/{*rest}", any(stop::nothing_here))
        .layer(middleware::from_fn_with_state(console.clone(), frame::finish))
        .route("/assets/{name}", get(assets::serve))
        .with_state(console)
}

/// The pages of webhooks, of what was delivered to them, and of events.
fn hooks() -> Router<Console> {
    use webhooks::{change, check, create, delivery, detail, filter, notices, replay, rotate, trial};
    Router::new()
        .route("/admin/webhooks", get(webhooks::list))
        .route("/admin/webhooks/new", get(create::show).post(create::post))
        .route("/admin/webhooks/check", get(check::show).post(check::post))
        .route("/admin/webhooks/{id}", get(detail::show))
        .route("/admin/webhooks/{id}/edit", get(change::show).post(change::post))
        .route("/admin/webhooks/{id}/status", post(change::status))
        .route("/admin/webhooks/{id}/filter", get(filter::show).post(filter::post))
        .route("/admin/webhooks/{id}/rotate", get(rotate::show).post(rotate::post))
        .route("/admin/webhooks/{id}/delete", get(change::ask).post(change::delete))
        .route("/admin/webhooks/{id}/trial", post(trial::post))
        .route("/admin/webhooks/{id}/trial/{delivery}", get(trial::show))
        .route("/admin/webhooks/{id}/deliveries/{delivery}", get(delivery::show))
        .route("/admin/webhooks/{id}/deliveries/{delivery}/again", post(delivery::again))
        .route("/admin/webhooks/{id}/replay", get(replay::show).post(replay::post))
        .route("/admin/webhooks/{id}/replays/{replay}", get(replay::progress))
        .route("/admin/webhooks/{id}/replays/{replay}/cancel", post(replay::cancel))
        .route("/admin/notices/{id}/read", post(notices::read))
        .route("/admin/events", get(events::list))
        .route("/admin/events/{id}", get(events::detail::show))
}
