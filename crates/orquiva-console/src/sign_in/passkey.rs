//! Signing in with a passkey: no address, no password.

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use orquiva_core::id::SessionId;
use orquiva_core::webauthn::{self, About, Used};
use orquiva_store::{StoreError, Tx, factor, user};
use serde_json::json;

use super::page;
use crate::console::Console;
use crate::form::Form;
use crate::guest::Guest;
use crate::page::refused;
use crate::stop::Stop;
use crate::ticket;

/// What a passkey is asked.
pub(crate) struct Ask {
    /// The random bytes that it signs.
    pub(crate) challenge: String,
    /// The proof that we asked.
    pub(crate) ticket: String,
}

/// What a ticket of [`Ask`] is for: to sign in, or to make a new key.
const PURPOSE: &str = "passkey";

impl Ask {
    /// A new question to this browser.
    pub(crate) fn new(console: &Console, guest: &Guest) -> Self {
        let mut bytes = [0; 32];
        console.chance.fill(&mut bytes);
        let challenge = URL_SAFE_NO_PAD.encode(bytes);
        let session: SessionId = console.mint.next();
        let said = json!({ "challenge": challenge, "session": session, "form": guest.form_token });
        let ticket = ticket::issue(console, PURPOSE, &said);
        Self { challenge, ticket }
    }

    /// The challenge of a ticket that this browser got, and the session that it may become.
    pub(crate) fn read(console: &Console, guest: &Guest, ticket: &str) -> Option<(String, SessionId)> {
        let said = ticket::read(console, PURPOSE, ticket)?;
        let session = SessionId::parse(said["session"].as_str()?)?;
        (said["form"] == guest.form_token.as_str())
            .then_some((said["challenge"].as_str()?.to_owned(), session))
    }
}

/// The page's origin and its host.
pub(crate) fn place(console: &Console, guest: &Guest) -> (String, String) {
    let origin = match console.is_secure() {
        true => console.public_url.split('/').take(3).collect::<Vec<_>>().join("/"),
        false => format!("http://{}", guest.host),
    };
    let host =
        url::Url::parse(&origin).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    (origin, host)
}

/// Signs in who has the key.
pub(crate) async fn create(
    State(console): State<Console>,
    guest: Guest,
    form: Form,
) -> Result<Response, Stop> {
    let (now, next) = (console.clock.now(), form.text("next"));
    if !console.gate.admits(guest.address, now) {
        return Err(Stop::Busy);
    }
    let again = |es, en| Ok(refused(&page(&console, &guest, "", next, guest.language.pick(es, en))));
    let Some((challenge, session)) = Ask::read(&console, &guest, form.text("ticket")) else {
        return again(
            "La página llevaba demasiado tiempo abierta. Pruebe otra vez.",
            "The page was open for too long. Try again.",
        );
    };
    let (origin, host) = place(&console, &guest);
    let about = About { challenge: &challenge, origin: &origin, host: &host };
    let known = factor::passkey(&console.store.read().await?, form.text("passkey_id")).await?;
    let used = Used {
        client_data: form.text("client_data"),
        authenticator_data: form.text("authenticator_data"),
        signature: form.text("signature"),
    };
    let checked = known.map(|kept| (webauthn::verify(used, &kept.key, about), kept));
    let (counter, kept) = match checked {
        Some((Ok(counter), kept)) => (counter, kept),
        Some((Err(cause), kept)) => {
            tracing::warn!(user.id = %kept.user, %cause, "a passkey was refused");
            return again(
                "La llave de acceso no se ha podido comprobar.",
                "The passkey could not be verified.",
            );
        }
        None => {
            let es = "Aquí no hay ninguna cuenta con esa llave de acceso. Entre con su contraseña.";
            return again(es, "No account here has this passkey. Sign in with your password.");
        }
    };
    let id = kept.key.id;
    let noted = move |tx: Tx| async move { factor::passkey_used(&tx, &id, counter, now).await };
    console.store.write::<_, StoreError, _, _>(None, noted).await?;
    let user = user::get(&console.store.read().await?, kept.user).await?;
    console.enter(&guest, &user, session, next).await
}
