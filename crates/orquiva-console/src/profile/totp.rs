//! An authenticator app, and the codes for whoever loses it.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::{Secret, totp};
use orquiva_store::{StoreError, Tx, factor};
use serde_json::json;

use crate::console::Console;
use crate::form::Form;
use crate::member::SignedIn;
use crate::page::{Page, html, refused};
use crate::sign_in::code::totp_place;
use crate::stop::Stop;
use crate::ticket;

const PURPOSE: &str = "new totp";
const HERE: &str = "/admin/profile/totp";

#[derive(Template)]
#[template(path = "profile/totp.html")]
struct TotpPage {
    page: Page,
    secret: String,
    /// The edges of the picture, in its squares.
    side: usize,
    /// The dark squares, as a path.
    squares: String,
    ticket: String,
    fault: String,
}

fn page(console: &Console, signed: &SignedIn, secret: &Secret, fault: &str) -> TotpPage {
    let (side, squares) = picture(totp::address(secret, &signed.user.email).expose());
    let said = json!({ "user": signed.user.id, "secret": secret.expose() });
    let title = signed.guest.language.pick("Aplicación de códigos", "Authenticator app");
    TotpPage {
        page: Page::for_user(signed, title),
        secret: secret.expose().to_owned(),
        side,
        squares,
        ticket: ticket::issue(console, PURPOSE, &said),
        fault: fault.to_owned(),
    }
}

/// A QR code, as the path of its dark squares.
fn picture(text: &str) -> (usize, String) {
    let Ok(code) = qrcode::QrCode::new(text) else { return (1, String::new()) };
    let side = code.width();
    let dark = code.to_colors().into_iter().enumerate().filter(|(_, color)| *color == qrcode::Color::Dark);
    (side, dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % side, at / side)).collect())
}

/// A new secret, as a picture for the app.
pub(crate) async fn show(State(console): State<Console>, signed: SignedIn) -> Result<Response, Stop> {
    signed.confirmed(&console, HERE)?;
    Ok(html(&page(&console, &signed, &totp::new_secret(console.chance.as_ref()), "")))
}

/// Keeps the secret once its first code was right, and shows the recovery codes.
pub(crate) async fn create(
    State(console): State<Console>,
    signed: SignedIn,
    form: Form,
) -> Result<Response, Stop> {
    signed.confirmed(&console, HERE)?;
    let said = ticket::read(&console, PURPOSE, form.text("ticket")).ok_or(Stop::Confirm(HERE.to_owned()))?;
    if said["user"] != signed.user.id.to_string() {
        return Err(Stop::Forged);
    }
    let secret = Secret::new(said["secret"].as_str().unwrap_or_default());
    let Some(step) = totp::step_of(form.text("code"), &secret, console.clock.now(), 0) else {
        let fault = signed.guest.language.pick(
            "El código no es correcto. Compruebe que la hora del teléfono es la buena.",
            "The code is wrong. Check that the phone's clock is right.",
        );
        return Ok(refused(&page(&console, &signed, &secret, fault)));
    };
    let id = signed.user.id;
    let sealed = console.key.seal(secret.expose().as_bytes(), &totp_place(id), console.chance.as_ref());
    let (codes, hashes) = new_codes(&console);
    let keep = move |tx: Tx| async move {
        factor::set_totp(&tx, id, Some(&sealed), step).await?;
        factor::set_recovery(&tx, id, &hashes).await
    };
    console.store.write::<_, StoreError, _, _>(None, keep).await?;
    tracing::info!(user.id = %id, "someone signs in with an authenticator app from now on");
    Ok(codes_page(&signed, &codes))
}

/// Signs in without the app from now on.
pub(crate) async fn remove(
    State(console): State<Console>,
    signed: SignedIn,
    _form: Form,
) -> Result<Response, Stop> {
    signed.confirmed(&console, "/admin/profile")?;
    let id = signed.user.id;
    let remove = move |tx: Tx| async move { factor::set_totp(&tx, id, None, 0).await };
    console.store.write::<_, StoreError, _, _>(None, remove).await?;
    tracing::info!(user.id = %id, "someone signs in without an authenticator app from now on");
    Ok(Redirect::to("/admin/profile?said=totp-removed").into_response())
}

/// New recovery codes in place of the old ones.
pub(crate) async fn recovery(
    State(console): State<Console>,
    signed: SignedIn,
    _form: Form,
) -> Result<Response, Stop> {
    signed.confirmed(&console, "/admin/profile")?;
    if signed.user.totp.is_none() {
        return Err(Stop::NotFound);
    }
    let (id, (codes, hashes)) = (signed.user.id, new_codes(&console));
    let keep = move |tx: Tx| async move { factor::set_recovery(&tx, id, &hashes).await };
    console.store.write::<_, StoreError, _, _>(None, keep).await?;
    Ok(codes_page(&signed, &codes))
}

fn new_codes(console: &Console) -> (Vec<Secret>, Vec<Vec<u8>>) {
    let codes = totp::recovery_codes(console.chance.as_ref());
    let hashes = codes.iter().map(|code| console.recovery_hash(code)).collect();
    (codes, hashes)
}

#[derive(Template)]
#[template(path = "profile/recovery.html")]
struct RecoveryPage {
    page: Page,
    codes: String,
}

fn codes_page(signed: &SignedIn, codes: &[Secret]) -> Response {
    let page =
        Page::for_user(signed, signed.guest.language.pick("Códigos de recuperación", "Recovery codes"));
    let codes = codes.iter().map(Secret::expose).collect::<Vec<_>>().join("\n");
    html(&RecoveryPage { page, codes })
}
