//! `/admin/invitation/{token}`: whoever was given the link belongs to the company, with the account that they have or with
//! a new one.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::employee::Email;
use orquiva_core::{Secret, password};
use orquiva_people::{founding, invitation};
use orquiva_store::invitation::Invitation;
use orquiva_store::user::{self, User};
use orquiva_store::{StoreError, Tx, audit, company, session};

use super::invite::told;
use crate::console::Console;
use crate::form::Form;
use crate::guest::Guest;
use crate::member::{Act, SignedIn, entry, sign_in};
use crate::next::with_next;
use crate::page::{Page, html, refused};
use crate::show::Faults;
use crate::sign_up::short_text;
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "members/join.html")]
struct JoinPage {
    page: Page,
    company: String,
    invitation: Invitation,
    path: String,
    /// Where someone signs in who has an account with the invited address.
    sign_in: String,
    who: Who,
    name: String,
    faults: Faults,
}

/// Who holds the link in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Someone without an account.
    Newcomer,
    /// Someone who has one, and has not signed in yet.
    Known,
    /// Who was invited.
    Invited,
    /// Somebody else.
    Other,
}

impl JoinPage {
    fn is(&self, who: Who) -> bool {
        self.who == who
    }
}

/// The link is followed by whoever was given it, signed in or not.
struct Link {
    invitation: Invitation,
    company: String,
    path: String,
    who: Who,
}

impl Link {
    async fn of(console: &Console, signed: Option<&SignedIn>, token: &str) -> Result<Self, Stop> {
        let tx = console.store.read().await?;
        let hash = invitation::hash(&console.key, token);
        let found = orquiva_store::invitation::find(&tx, &hash, console.clock.now()).await?;
        let invitation = found.ok_or(Stop::Invitation)?;
        let company = company::get(&tx, invitation.company).await?;
        if company.suspended_at.is_some() {
            return Err(Stop::Suspended);
        }
        let key = |email: &str| Email::parse(email).map(|email| email.key());
        let who = match signed {
            Some(signed) if key(&signed.user.email) == key(&invitation.email) => Who::Invited,
            Some(_) => Who::Other,
            None if user::by_email(&tx, &invitation.email).await?.is_some() => Who::Known,
            None => Who::Newcomer,
        };
        let path = invitation::path(&Secret::new(token));
        Ok(Self { invitation, company: company.name, path, who })
    }

    fn page(self, guest: &Guest, signed: Option<&SignedIn>, name: &str, faults: Faults) -> JoinPage {
        let title = guest.language.pick("Invitación", "Invitation");
        JoinPage {
            page: match signed {
                Some(signed) => Page::for_user(signed, title),
                None => Page::for_guest(guest, title),
            },
            sign_in: with_next("/admin/sign-in", &self.path),
            company: self.company,
            invitation: self.invitation,
            path: self.path,
            who: self.who,
            name: name.to_owned(),
            faults,
        }
    }
}

/// What the invitation is to, and how to accept it.
pub(crate) async fn show(
    State(console): State<Console>,
    guest: Guest,
    signed: Result<SignedIn, Stop>,
    Path(token): Path<String>,
) -> Result<Response, Stop> {
    let signed = signed.ok();
    let link = Link::of(&console, signed.as_ref(), &token).await?;
    Ok(html(&link.page(&guest, signed.as_ref(), "", Faults::default())))
}

/// Accepts it.
pub(crate) async fn post(
    State(console): State<Console>,
    guest: Guest,
    signed: Result<SignedIn, Stop>,
    Path(token): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    if !console.gate.admits(guest.address, console.clock.now()) {
        return Err(Stop::Busy);
    }
    let signed = signed.ok();
    let link = Link::of(&console, signed.as_ref(), &token).await?;
    match (link.who, signed) {
        (Who::Invited, Some(signed)) => enter(&console, &signed, &link.invitation).await,
        (Who::Newcomer, None) => join(&console, &guest, link, &form).await,
        (_, signed) => Ok(refused(&link.page(&guest, signed.as_ref(), "", Faults::default()))),
    }
}

/// Lets in who has an account, and leads them to the company.
async fn enter(console: &Console, signed: &SignedIn, invitation: &Invitation) -> Result<Response, Stop> {
    let told = joined(console, &signed.guest, &signed.user, invitation);
    let (invitation, user, id) = (invitation.clone(), signed.user.id, signed.session.id);
    let (company, now) = (invitation.company, console.clock.now());
    let accept = move |tx: Tx| async move {
        invitation::accept(&tx, &invitation, user, now).await?;
        session::enter(&tx, id, Some(company)).await?;
        audit::add(&tx, company, &told).await
    };
    match console.store.write::<_, StoreError, _, _>(company, accept).await {
        Ok(()) => Ok(Redirect::to("/admin?said=joined").into_response()),
        Err(StoreError::NotFound) => Err(Stop::Invitation),
        Err(other) => Err(other.into()),
    }
}

/// Makes an account for who has none, and signs them in.
async fn join(console: &Console, guest: &Guest, link: Link, form: &Form) -> Result<Response, Stop> {
    let (language, now) = (guest.language, console.clock.now());
    let mut faults = Faults::default();
    let name = short_text(form, "name", language, &mut faults);
    let secret = Secret::new(form.raw("password"));
    if let Err(weak) = password::check(secret.expose(), &[&link.company, &name, &link.invitation.email]) {
        faults.add("password", weak.told(language));
    }
    if !faults.is_empty() {
        return Ok(refused(&link.page(guest, None, form.text("name"), faults)));
    }
    let hash = console.hash(secret).await;
    let invitation = link.invitation.clone();
    let new = founding::newcomer(console.mint.next(), &name, &invitation.email, hash, now);
    let told = joined(console, guest, &new, &invitation);
    let (company, user) = (invitation.company, new.clone());
    let accept = move |tx: Tx| async move {
        user::create(&tx, &user).await?;
        invitation::accept(&tx, &invitation, user.id, now).await?;
        audit::add(&tx, company, &told).await
    };
    match console.store.write::<_, StoreError, _, _>(company, accept).await {
        Ok(()) => {}
        Err(StoreError::NotFound) => return Err(Stop::Invitation),
        // They have got an account meanwhile.
        Err(StoreError::Duplicate(_)) => return Err(Stop::SignIn(link.path)),
        Err(other) => return Err(other.into()),
    }
    let cookie = sign_in(console, guest, &new, Some(company), console.mint.next()).await?;
    Ok(([cookie], Redirect::to("/admin?said=joined")).into_response())
}

fn joined(console: &Console, guest: &Guest, user: &User, invitation: &Invitation) -> audit::Entry {
    entry(console, guest, user, Act::new("member.created", user.id).to(told(invitation)))
}
