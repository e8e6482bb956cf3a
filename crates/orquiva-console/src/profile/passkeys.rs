//! Passkeys: made here, used at the door.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::webauthn::{self, About, Made};
use orquiva_store::factor::{self, Kept};
use orquiva_store::{StoreError, Tx};

use crate::console::Console;
use crate::form::Form;
use crate::member::SignedIn;
use crate::page::{Page, html, refused};
use crate::show::Faults;
use crate::sign_in::passkey::{Ask, place};
use crate::sign_up::short_text;
use crate::stop::Stop;

const HERE: &str = "/admin/profile/passkeys";

#[derive(Template)]
#[template(path = "profile/passkey.html")]
struct PasskeyPage {
    page: Page,
    ask: Ask,
    host: String,
    user: String,
    user_name: String,
    email: String,
    /// The ids of those that there are: one authenticator keeps one.
    known: String,
    name: String,
    faults: Faults,
}

async fn page(console: &Console, signed: &SignedIn, name: &str, faults: Faults) -> Result<PasskeyPage, Stop> {
    let known = factor::passkeys(&console.store.read().await?, signed.user.id).await?;
    let (_, host) = place(console, &signed.guest);
    Ok(PasskeyPage {
        page: Page::for_user(signed, signed.guest.language.pick("Nueva llave de acceso", "New passkey")),
        ask: Ask::new(console, &signed.guest),
        host,
        user: signed.user.id.to_string(),
        user_name: signed.user.name.clone(),
        email: signed.user.email.clone(),
        known: known.iter().map(|kept| kept.key.id.as_str()).collect::<Vec<_>>().join(" "),
        name: name.to_owned(),
        faults,
    })
}

/// The form, from which the browser makes a key.
pub(crate) async fn show(State(console): State<Console>, signed: SignedIn) -> Result<Response, Stop> {
    signed.confirmed(&console, HERE)?;
    let name = signed.guest.language.pick("Este equipo", "This computer");
    Ok(html(&page(&console, &signed, name, Faults::default()).await?))
}

/// Keeps the key that the browser made.
pub(crate) async fn create(
    State(console): State<Console>,
    signed: SignedIn,
    form: Form,
) -> Result<Response, Stop> {
    signed.confirmed(&console, HERE)?;
    let language = signed.guest.language;
    let mut faults = Faults::default();
    let name = short_text(&form, "name", language, &mut faults);
    let (challenge, _) =
        Ask::read(&console, &signed.guest, form.text("ticket")).ok_or(Stop::Confirm(HERE.to_owned()))?;
    let (origin, host) = place(&console, &signed.guest);
    let made = Made {
        id: form.text("passkey_id"),
        client_data: form.text("client_data"),
        authenticator_data: form.text("authenticator_data"),
        public_key: form.text("public_key"),
        algorithm: form.text("algorithm").parse().unwrap_or(0),
    };
    let about = About { challenge: &challenge, origin: &origin, host: &host };
    let key = webauthn::register(made, about).map_err(|cause| {
        tracing::warn!(user.id = %signed.user.id, %cause, "a new passkey was refused");
        let es = "El navegador no ha creado la llave de acceso. Pruebe otra vez.";
        faults.add("passkey", language.pick(es, "The browser made no passkey. Try again."));
    });
    let (Ok(key), true) = (key, faults.is_empty()) else {
        return Ok(refused(&page(&console, &signed, form.text("name"), faults).await?));
    };
    let kept = Kept { user: signed.user.id, name, key, created_at: console.clock.now(), last_used_at: None };
    let keep = move |tx: Tx| async move { factor::add_passkey(&tx, &kept).await };
    console.store.write::<_, StoreError, _, _>(None, keep).await?;
    tracing::info!(user.id = %signed.user.id, "someone has a new passkey");
    Ok(Redirect::to("/admin/profile?said=passkey-added").into_response())
}

/// Removes a key.
pub(crate) async fn remove(
    State(console): State<Console>,
    signed: SignedIn,
    form: Form,
) -> Result<Response, Stop> {
    signed.confirmed(&console, "/admin/profile")?;
    let (user, id) = (signed.user.id, form.text("passkey").to_owned());
    let remove = move |tx: Tx| async move { factor::remove_passkey(&tx, user, &id).await };
    console.store.write::<_, StoreError, _, _>(None, remove).await?;
    Ok(Redirect::to("/admin/profile?said=passkey-removed").into_response())
}
