//! `/admin/settings/members`: who belongs to the company's console, and as what.

pub(crate) mod change;
pub(crate) mod invite;
pub(crate) mod join;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use orquiva_core::id::UserId;
use orquiva_core::{Language, Right, Role};
use orquiva_store::invitation::{self, Invitation};
use orquiva_store::member::{self, Member as Person};

use crate::console::Console;
use crate::member::Member;
use crate::page::{Here, Page, html};
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "members/list.html")]
struct ListPage {
    page: Page,
    own: UserId,
    role: Role,
    people: Vec<Person>,
    open: Vec<Invitation>,
    may: bool,
}

impl ListPage {
    /// Whether whoever looks may change this member.
    fn may_change(&self, person: &Person) -> bool {
        self.may && person.user != self.own && self.role.may_give(person.role)
    }
}

/// The members, and for who invites them, who was invited.
pub(crate) async fn list(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    let may = member.may(Right::ManageMembers);
    let (company, tx) = (member.company.id, console.store.read().await?);
    let people = member::list(&tx, company).await?;
    let open = match may {
        true => invitation::list(&tx, company, console.clock.now()).await?,
        false => Vec::new(),
    };
    let page = Page::of(&member, Some(Here::Members), ("Miembros", "Members"));
    Ok(html(&ListPage { page, own: member.user.id, role: member.role, people, open, may }))
}

/// The roles that `role` may give.
fn gives(role: Role) -> Vec<Role> {
    Role::ALL.iter().copied().filter(|other| role.may_give(*other)).collect()
}

/// What to do if the last owner would go.
fn last_owner(language: Language) -> &'static str {
    language.pick(
        "Es el único propietario. Nombre antes a otro: una empresa no se queda sin propietario.",
        "This is the only owner. Make another one first: a company is never without an owner.",
    )
}
