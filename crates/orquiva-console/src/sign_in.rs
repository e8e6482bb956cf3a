//! Signing in and out.

pub(crate) mod code;
pub(crate) mod companies;
pub(crate) mod confirm;
pub(crate) mod openid;
pub(crate) mod passkey;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::id::SessionId;
use orquiva_core::{Language, Secret, Timestamp, password};
use orquiva_store::user::{self, User};
use orquiva_store::{StoreError, Tx, member, session};
use std::collections::HashMap;

use crate::console::{Console, SignUp};
use crate::cookie;
use crate::form::Form;
use crate::gate::blocked_until;
use crate::guest::Guest;
use crate::member::{SignedIn, sign_in};
use crate::next::{inward, with_next};
use crate::page::{Page, html, refused};
use crate::stop::Stop;

/// What stands behind the question mark.
pub(crate) type Asked = Query<HashMap<String, String>>;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    page: Page,
    email: String,
    next: String,
    fault: String,
    may_sign_up: bool,
    /// Whom else one can sign in with.
    provider: Option<String>,
    /// What stands behind the question mark on the way there.
    onward: String,
    /// What a passkey has to answer, and the proof that it was asked.
    ask: passkey::Ask,
}

fn page(console: &Console, guest: &Guest, email: &str, next: &str, fault: &str) -> SignInPage {
    SignInPage {
        page: Page::for_guest(guest, guest.language.pick("Entrar", "Sign in")),
        email: email.to_owned(),
        next: inward(next).to_owned(),
        fault: fault.to_owned(),
        may_sign_up: console.sign_up == SignUp::Open,
        provider: console.door.as_ref().map(|door| door.provider.name.clone()),
        onward: with_next("/admin/sign-in/openid", next),
        ask: passkey::Ask::new(console, guest),
    }
}

/// The form.
pub(crate) async fn show(
    State(console): State<Console>,
    guest: Guest,
    signed: Result<SignedIn, Stop>,
    Query(asked): Asked,
) -> Response {
    let next = asked.get("next").map_or("", String::as_str);
    match signed {
        Ok(_) => Redirect::to(inward(next)).into_response(),
        Err(_) => html(&page(&console, &guest, "", next, "")),
    }
}

/// Signs in who has the password, once they have shown a code of their app if they have one.
pub(crate) async fn create(
    State(console): State<Console>,
    guest: Guest,
    form: Form,
) -> Result<Response, Stop> {
    let (email, next) = (form.text("email"), form.text("next"));
    if !console.gate.admits(guest.address, console.clock.now()) {
        return Err(Stop::Busy);
    }
    let known = user::by_email(&console.store.read().await?, email).await?;
    match console.prove(known, Secret::new(form.raw("password"))).await? {
        Proof::Right(user) if user.totp.is_some() => Ok(code::ask(&console, &guest, &user, next)),
        Proof::Right(user) => console.enter(&guest, &user, console.mint.next(), next).await,
        wrong => {
            let fault = wrong.told(guest.language, console.clock.now());
            Ok(refused(&page(&console, &guest, email, next, &fault)))
        }
    }
}

/// Ends the session of this browser.
pub(crate) async fn end(
    State(console): State<Console>,
    signed: SignedIn,
    _form: Form,
) -> Result<Response, Stop> {
    let (user, id) = (signed.user.id, signed.session.id);
    let end = move |tx| async move { session::end(&tx, user, id).await };
    console.store.write::<_, StoreError, _, _>(None, end).await?;
    let cookie = cookie::set(&console, cookie::SESSION, "", Some(0));
    Ok(([cookie], Redirect::to("/admin/sign-in")).into_response())
}

/// What came of a password.
pub(crate) enum Proof {
    /// It is theirs.
    Right(User),
    /// It is not, or nobody has this address: nobody is told which.
    Wrong,
    /// None counts until then.
    Blocked(Timestamp),
}

impl Proof {
    /// What to do about it.
    pub(crate) fn told(&self, language: Language, now: Timestamp) -> String {
        match self {
            Self::Right(_) => String::new(),
            Self::Wrong => language
                .pick("El correo o la contraseña no son correctos.", "The e-mail or the password is wrong.")
                .to_owned(),
            Self::Blocked(until) => {
                let minutes = (until.since(now) + 59_999) / 60_000;
                language.pick(
                    format!("Demasiados intentos. Vuelva a probar dentro de {minutes} min."),
                    format!("Too many attempts. Try again in {minutes} min."),
                )
            }
        }
    }
}

impl Console {
    /// Signs someone in who has proved who they are, and leads them to `next`.
    pub(crate) async fn enter(
        &self,
        guest: &Guest,
        user: &User,
        id: SessionId,
        next: &str,
    ) -> Result<Response, Stop> {
        let companies = member::companies(&self.store.read().await?, user.id).await?;
        let company = match companies.as_slice() {
            [only] => Some(only.company),
            _ => None,
        };
        let cookie = sign_in(self, guest, user, company, id).await?;
        tracing::info!(user.id = %user.id, "someone signed in");
        Ok(([cookie], Redirect::to(inward(next))).into_response())
    }

    /// Counts a wrong try of someone's.
    pub(crate) async fn failed(&self, user: &User) -> Result<(), StoreError> {
        let (id, until) = (user.id, blocked_until(user.failures + 1, self.clock.now()));
        let failed = move |tx: Tx| async move { user::failed(&tx, id, until).await };
        self.store.write::<_, StoreError, _, _>(None, failed).await
    }

    /// Whether `password` is that of `user`. It takes the same time if there is no such user.
    pub(crate) async fn prove(&self, user: Option<User>, password: Secret) -> Result<Proof, Stop> {
        let now = self.clock.now();
        if let Some(blocked) = user.as_ref().filter(|user| user.blocked_until > now) {
            return Ok(Proof::Blocked(blocked.blocked_until));
        }
        let hash = user.as_ref().map_or(String::new(), |user| user.password_hash.clone());
        let matches = self.off_thread(move || password::matches(&password, &hash)).await;
        match (user, matches) {
            (Some(user), true) => Ok(Proof::Right(user)),
            (Some(user), false) => {
                self.failed(&user).await?;
                tracing::warn!(user.id = %user.id, "a wrong password");
                Ok(Proof::Wrong)
            }
            (None, _) => {
                tracing::warn!("a password for an address that nobody has");
                Ok(Proof::Wrong)
            }
        }
    }

    /// The hash of a new password.
    pub(crate) async fn hash(&self, password: Secret) -> String {
        let chance = self.chance.clone();
        self.off_thread(move || password::hash(&password, chance.as_ref())).await
    }

    /// Does what takes a core for a while, two at a time at most, and not where requests are served.
    async fn off_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _seat = self.hashing.acquire().await.expect("the seats are never closed");
        tokio::task::spawn_blocking(work).await.expect("comparing a password does not panic")
    }
}
