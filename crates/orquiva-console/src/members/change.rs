//! Another role for a member, and the end of a membership.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::id::UserId;
use orquiva_core::{Right, Role};
use orquiva_store::audit::Entry;
use orquiva_store::member::{self, Member as Person};
use orquiva_store::{StoreError, Tx, audit, company};
use serde_json::json;

use super::{gives, last_owner};
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::settings::stale;
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "members/detail.html")]
struct DetailPage {
    page: Page,
    person: Person,
    roles: Vec<Role>,
    fault: &'static str,
}

#[derive(Template)]
#[template(path = "members/remove.html")]
struct RemovePage {
    page: Page,
    person: Person,
    /// Whether it is they themselves who go.
    leaves: bool,
    company: String,
    fault: &'static str,
}

/// What has come of a change.
enum Done {
    Changed,
    /// Somebody else gave them another role meanwhile.
    Stale,
    /// A company is never without an owner.
    LastOwner,
    /// Nobody gives or takes more than they have.
    Forbidden,
}

async fn person(console: &Console, member: &Member, id: &str) -> Result<Person, Stop> {
    let id = UserId::parse(id).ok_or(Stop::NotFound)?;
    let people = member::list(&console.store.read().await?, member.company.id).await?;
    people.into_iter().find(|one| one.user == id).ok_or(Stop::NotFound)
}

/// A member whom someone else changes.
async fn other(console: &Console, member: &Member, id: &str) -> Result<Person, Stop> {
    member.must(Right::ManageMembers)?;
    let person = person(console, member, id).await?;
    match member.role.may_give(person.role) && person.user != member.user.id {
        true => Ok(person),
        false => Err(Stop::Forbidden),
    }
}

fn detail(member: &Member, person: Person, fault: &'static str) -> DetailPage {
    let page = Page::of(member, Some(Here::Members), ("Miembro", "Member"));
    DetailPage { page, person, roles: gives(member.role), fault }
}

fn removal(member: &Member, person: Person, fault: &'static str) -> RemovePage {
    let leaves = person.user == member.user.id;
    let title = match leaves {
        true => ("Dejar la empresa", "Leave the company"),
        false => ("Quitar a un miembro", "Remove a member"),
    };
    let page = Page::of(member, Some(Here::Members), title);
    RemovePage { page, person, leaves, company: member.company.name.clone(), fault }
}

/// A member's role.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    Ok(html(&detail(&member, other(&console, &member, &id).await?, "")))
}

/// Gives a member another role.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    let person = other(&console, &member, &id).await?;
    member.confirmed(&console, &format!("/admin/settings/members/{id}"))?;
    let role = Role::parse(form.text("role")).ok_or(Stop::NotFound)?;
    let seen = Role::parse(form.text("seen"));
    let entry = member.entry(&console, Act::new("member.updated", person.user));
    let (company, actor, user) = (member.company.id, member.user.id, person.user);
    let email = person.email.clone();
    let change = move |tx: Tx| async move {
        company::hold(&tx, company).await?;
        let mine = member::role(&tx, company, actor).await?;
        let before = member::role(&tx, company, user).await?.ok_or(StoreError::NotFound)?;
        if Some(before) != seen {
            return Ok(Done::Stale);
        }
        if !mine.is_some_and(|mine| mine.may_give(before) && mine.may_give(role)) {
            return Ok(Done::Forbidden);
        }
        if before == Role::Owner && role != before && member::owners(&tx, company).await? < 2 {
            return Ok(Done::LastOwner);
        }
        if before != role {
            member::change(&tx, company, user, role).await?;
            let told = |role: Role| Some(json!({ "email": email, "role": role.as_str() }).to_string());
            let entry = Entry { before: told(before), after: told(role), ..entry };
            audit::add(&tx, company, &entry).await?;
        }
        Ok(Done::Changed)
    };
    let language = member.guest.language;
    let fault = match console.store.write::<_, StoreError, _, _>(company, change).await? {
        Done::Changed => {
            return Ok(Redirect::to("/admin/settings/members?said=member-changed").into_response());
        }
        Done::Forbidden => return Err(Stop::Forbidden),
        Done::Stale => stale(language),
        Done::LastOwner => last_owner(language),
    };
    Ok(refused(&detail(&member, other(&console, &member, &id).await?, fault)))
}

/// What ends with a membership, and the button.
pub(crate) async fn ask(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    let person = leaving(&console, &member, &id).await?;
    Ok(html(&removal(&member, person, "")))
}

/// Someone whose membership may be ended: by who may take their role, or by themselves.
async fn leaving(console: &Console, member: &Member, id: &str) -> Result<Person, Stop> {
    match member.user.id.to_string() == id {
        true => person(console, member, id).await,
        false => other(console, member, id).await,
    }
}

/// Ends a membership. Pages of the company are shut to them from then on.
pub(crate) async fn remove(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    _form: Form,
) -> Result<Response, Stop> {
    let person = leaving(&console, &member, &id).await?;
    member.confirmed(&console, &format!("/admin/settings/members/{id}/remove"))?;
    let leaves = person.user == member.user.id;
    let entry = member.entry(&console, Act::new("member.removed", person.user));
    let (company, actor, user) = (member.company.id, member.user.id, person.user);
    let email = person.email.clone();
    let end = move |tx: Tx| async move {
        company::hold(&tx, company).await?;
        let mine = member::role(&tx, company, actor).await?;
        let role = member::role(&tx, company, user).await?.ok_or(StoreError::NotFound)?;
        if !leaves && !mine.is_some_and(|mine| mine.may_give(role)) {
            return Ok(Done::Forbidden);
        }
        if role == Role::Owner && member::owners(&tx, company).await? < 2 {
            return Ok(Done::LastOwner);
        }
        member::remove(&tx, company, user).await?;
        let before = Some(json!({ "email": email, "role": role.as_str() }).to_string());
        audit::add(&tx, company, &Entry { before, ..entry }).await?;
        Ok(Done::Changed)
    };
    match console.store.write::<_, StoreError, _, _>(company, end).await? {
        Done::Changed if leaves => Ok(Redirect::to("/admin/companies").into_response()),
        Done::Changed => Ok(Redirect::to("/admin/settings/members?said=member-removed").into_response()),
        Done::Stale | Done::Forbidden => Err(Stop::Forbidden),
        Done::LastOwner => {
            let fault = last_owner(member.guest.language);
            Ok(refused(&removal(&member, leaving(&console, &member, &id).await?, fault)))
        }
    }
}
