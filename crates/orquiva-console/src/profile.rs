//! Whoever is signed in: name, password, and the browsers where they are.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::id::SessionId;
use orquiva_core::{Secret, password};
use orquiva_store::session::{self, Session};
use orquiva_store::{StoreError, Tx, user};

use crate::console::Console;
use crate::form::Form;
use crate::member::{SignedIn, sign_in};
use crate::page::{Page, html, refused};
use crate::show::Faults;
use crate::sign_in::Proof;
use crate::sign_up::short_text;
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfilePage {
    page: Page,
    name: String,
    email: String,
    sessions: Vec<Session>,
    own: SessionId,
    faults: Faults,
}

async fn page(console: &Console, signed: &SignedIn, faults: Faults) -> Result<ProfilePage, Stop> {
    let sessions = session::list(&console.store.read().await?, signed.user.id).await?;
    Ok(ProfilePage {
        page: Page::for_user(signed, signed.guest.language.pick("Su perfil", "Your profile")),
        name: signed.user.name.clone(),
        email: signed.user.email.clone(),
        sessions,
        own: signed.session.id,
        faults,
    })
}

/// The page.
pub(crate) async fn show(State(console): State<Console>, signed: SignedIn) -> Result<Response, Stop> {
    Ok(html(&page(&console, &signed, Faults::default()).await?))
}

/// Changes the name.
pub(crate) async fn change(
    State(console): State<Console>,
    signed: SignedIn,
    form: Form,
) -> Result<Response, Stop> {
    let mut faults = Faults::default();
    let name = short_text(&form, "name", signed.guest.language, &mut faults);
    if !faults.is_empty() {
        return Ok(refused(&page(&console, &signed, faults).await?));
    }
    let (id, language) = (signed.user.id, signed.user.language);
    let change = move |tx: Tx| async move { user::change(&tx, id, &name, language).await };
    console.store.write::<_, StoreError, _, _>(None, change).await?;
    Ok(Redirect::to("/admin/profile?said=profile-saved").into_response())
}

/// Changes the password: every other session ends, and this one gets another token.
pub(crate) async fn password(
    State(console): State<Console>,
    signed: SignedIn,
    form: Form,
) -> Result<Response, Stop> {
    let language = signed.guest.language;
    let mut faults = Faults::default();
    let proof = console.prove(Some(signed.user.clone()), Secret::new(form.raw("current"))).await?;
    if !matches!(proof, Proof::Right(_)) {
        faults.add("current", proof.told(language, console.clock.now()));
    }
    let new = Secret::new(form.raw("password"));
    if let Err(weak) = password::check(new.expose(), &[&signed.user.name, &signed.user.email]) {
        faults.add("password", weak.told(language));
    }
    if !faults.is_empty() {
        return Ok(refused(&page(&console, &signed, faults).await?));
    }
    let (id, hash) = (signed.user.id, console.hash(new).await);
    let change = move |tx: Tx| async move {
        user::set_password(&tx, id, &hash).await?;
        session::end_others(&tx, id, None).await
    };
    console.store.write::<_, StoreError, _, _>(None, change).await?;
    tracing::info!(user.id = %id, "someone changed their password");
    let cookie = sign_in(&console, &signed.guest, &signed.user, signed.session.company).await?;
    Ok(([cookie], Redirect::to("/admin/profile?said=password-changed")).into_response())
}

/// Ends one session, or all but this one.
pub(crate) async fn end_sessions(
    State(console): State<Console>,
    signed: SignedIn,
    form: Form,
) -> Result<Response, Stop> {
    let (user, own) = (signed.user.id, signed.session.id);
    let one = SessionId::parse(form.text("session"));
    let end = move |tx: Tx| async move {
        match one {
            Some(one) => session::end(&tx, user, one).await,
            None => session::end_others(&tx, user, Some(own)).await.map(drop),
        }
    };
    console.store.write::<_, StoreError, _, _>(None, end).await?;
    Ok(Redirect::to("/admin/profile?said=sessions-ended").into_response())
}
