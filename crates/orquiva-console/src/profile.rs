//! Whoever is signed in: name, password, what proves who they are beside it, and the browsers where they are.

pub(crate) mod passkeys;
pub(crate) mod totp;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::id::SessionId;
use orquiva_core::{Secret, password};
use orquiva_store::session::{self, Session};
use orquiva_store::{StoreError, Tx, factor, identity, user};

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
    has_totp: bool,
    recovery_left: i64,
    passkeys: Vec<factor::Kept>,
    /// The name of the OpenID Connect provider, and the addresses under which it knows them.
    provider: Option<(String, Vec<String>)>,
    faults: Faults,
}

impl ProfilePage {
    fn browser(&self, agent: &str) -> String {
        browser(agent, self.page.t("en", "on"))
    }
}

/// What a browser is called, of all that it says of itself: `Firefox on Linux`.
fn browser(agent: &str, on: &str) -> String {
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let name = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    match (name(&BROWSERS), name(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} {on} {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => agent.chars().take(40).collect(),
    }
}

async fn page(console: &Console, signed: &SignedIn, faults: Faults) -> Result<ProfilePage, Stop> {
    let tx = console.store.read().await?;
    let sessions = session::list(&tx, signed.user.id).await?;
    let provider = match &console.door {
        Some(door) => {
            let linked = identity::of_user(&tx, &door.provider.issuer, signed.user.id).await?;
            Some((door.provider.name.clone(), linked))
        }
        None => None,
    };
    Ok(ProfilePage {
        has_totp: signed.user.totp.is_some(),
        recovery_left: factor::recovery_left(&tx, signed.user.id).await?,
        passkeys: factor::passkeys(&tx, signed.user.id).await?,
        page: Page::for_user(signed, signed.guest.language.pick("Su perfil", "Your profile")),
        provider,
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
    let cookie =
        sign_in(&console, &signed.guest, &signed.user, signed.session.company, console.mint.next()).await?;
    Ok(([cookie], Redirect::to("/admin/profile?said=password-changed")).into_response())
}

/// Ends one session, or all but this one (ASVS 7.5.2).
pub(crate) async fn end_sessions(
    State(console): State<Console>,
    signed: SignedIn,
    form: Form,
) -> Result<Response, Stop> {
    signed.confirmed(&console, "/admin/profile")?;
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
