//! The second step of signing in: a code of the authenticator app, or a recovery code.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use orquiva_core::id::{SessionId, UserId};
use orquiva_core::{Secret, totp};
use orquiva_store::user::{self, User};
use orquiva_store::{StoreError, Tx, factor};
use serde_json::json;

use super::Proof;
use crate::console::Console;
use crate::form::Form;
use crate::guest::Guest;
use crate::next::inward;
use crate::page::{Page, html, refused};
use crate::stop::Stop;
use crate::ticket;

const PURPOSE: &str = "sign-in code";

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    page: Page,
    ticket: String,
    next: String,
    fault: String,
}

fn page(guest: &Guest, ticket: String, next: &str, fault: &str) -> CodePage {
    let page = Page::for_guest(guest, guest.language.pick("Segundo paso", "Second step"));
    CodePage { page, ticket, next: inward(next).to_owned(), fault: fault.to_owned() }
}

/// Asks for the code of someone whose password was right.
pub(super) fn ask(console: &Console, guest: &Guest, user: &User, next: &str) -> Response {
    let session: SessionId = console.mint.next();
    let ticket = ticket::issue(console, PURPOSE, &json!({ "user": user.id, "session": session }));
    html(&page(guest, ticket, next, ""))
}

/// Signs in who has the code.
pub(crate) async fn create(
    State(console): State<Console>,
    guest: Guest,
    form: Form,
) -> Result<Response, Stop> {
    let (ticket, next, code) = (form.text("ticket"), form.text("next"), form.text("code"));
    if !console.gate.admits(guest.address, console.clock.now()) {
        return Err(Stop::Busy);
    }
    let said = ticket::read(&console, PURPOSE, ticket).ok_or_else(|| Stop::SignIn(next.to_owned()))?;
    let text = |name: &str| said[name].as_str().unwrap_or_default();
    let id = UserId::parse(text("user")).ok_or(Stop::Forged)?;
    let session = SessionId::parse(text("session")).ok_or(Stop::Forged)?;
    let user = user::get(&console.store.read().await?, id).await?;
    match console.prove_code(&user, code).await? {
        Proof::Right(user) => console.enter(&guest, &user, session, next).await,
        Proof::Wrong => {
            let fault = guest.language.pick("El código no es correcto.", "The code is wrong.");
            Ok(refused(&page(&guest, ticket.to_owned(), next, fault)))
        }
        blocked => {
            let fault = blocked.told(guest.language, console.clock.now());
            Ok(refused(&page(&guest, ticket.to_owned(), next, &fault)))
        }
    }
}

impl Console {
    /// Whether `code` is one of someone's app or one of their recovery codes; it is spent.
    pub(crate) async fn prove_code(&self, user: &User, code: &str) -> Result<Proof, Stop> {
        let now = self.clock.now();
        if user.blocked_until > now {
            return Ok(Proof::Blocked(user.blocked_until));
        }
        let Some(sealed) = &user.totp else { return Ok(Proof::Wrong) };
        let secret = self.key.open(sealed, &totp_place(user.id)).map_err(StoreError::broken)?;
        let secret = Secret::new(String::from_utf8_lossy(&secret).into_owned());
        let (id, step) = (user.id, totp::step_of(code, &secret, now, user.totp_step));
        let recovery = self.recovery_hash(&totp::recovery_code(code));
        let spend = move |tx: Tx| async move {
            match step {
                Some(step) => factor::spend_step(&tx, id, step).await,
                None => factor::spend_recovery(&tx, id, &recovery).await,
            }
        };
        match self.store.write::<_, StoreError, _, _>(None, spend).await? {
            true => Ok(Proof::Right(user.clone())),
            false => {
                self.failed(user).await?;
                tracing::warn!(user.id = %user.id, "a wrong code");
                Ok(Proof::Wrong)
            }
        }
    }

    /// The hash under which a recovery code is kept.
    pub(crate) fn recovery_hash(&self, code: &Secret) -> Vec<u8> {
        self.key.hash(&Secret::new(format!("recovery/{}", code.expose())))
    }
}

/// The place for which the secret of someone's app is sealed.
pub(crate) fn totp_place(user: UserId) -> String {
    format!("totp/{user}")
}
