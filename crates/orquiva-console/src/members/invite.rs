//! An invitation: whoever invites is shown a link once, and hands it over.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::id::InvitationId;
use orquiva_core::{Right, Role};
use orquiva_store::invitation::Invitation;
use orquiva_store::{StoreError, Tx, audit, invitation, member, user};
use serde_json::{Value, json};

use super::gives;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::sign_up::address;
use crate::stop::Stop;

/// Most invitations of a company that are open at a time.
const MOST: usize = 100;

#[derive(Template)]
#[template(path = "members/invite.html")]
struct InvitePage {
    page: Page,
    email: String,
    role: Role,
    roles: Vec<Role>,
    faults: Faults,
}

#[derive(Template)]
#[template(path = "members/link.html")]
struct LinkPage {
    page: Page,
    invitation: Invitation,
    link: String,
}

fn page(member: &Member, email: &str, role: Role, faults: Faults) -> InvitePage {
    InvitePage {
        page: Page::of(member, Some(Here::Members), ("Invitar a alguien", "Invite someone")),
        email: email.to_owned(),
        role,
        roles: gives(member.role),
        faults,
    }
}

/// The form.
pub(crate) async fn show(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    member.must(Right::ManageMembers)?;
    member.confirmed(&console, "/admin/settings/members/new")?;
    Ok(html(&page(&member, "", Role::Viewer, Faults::default())))
}

/// What has come of it.
enum Asked {
    Invited,
    IsMember,
    TooMany,
}

/// Invites someone; an earlier invitation for the same address is good no more.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageMembers)?;
    member.confirmed(&console, "/admin/settings/members/new")?;
    let language = member.guest.language;
    let mut faults = Faults::default();
    let email = address(&form, language, &mut faults);
    let role =
        Role::parse(form.text("role")).filter(|role| member.role.may_give(*role)).ok_or(Stop::Forbidden)?;
    if !faults.is_empty() {
        return Ok(refused(&page(&member, form.text("email"), role, faults)));
    }
    let (company, now) = (member.company.id, console.clock.now());
    let host = member.user.id.to_string();
    let host = (host.as_str(), member.user.name.as_str());
    let new = orquiva_people::invitation::new(console.mint.next(), company, &email, role, host, now);
    let token = orquiva_people::invitation::token(console.chance.as_ref());
    let hash = orquiva_people::invitation::hash(&console.key, token.expose());
    let entry = member.entry(&console, Act::new("invitation.created", new.id).to(told(&new)));
    let stored = new.clone();
    let invite = move |tx: Tx| async move {
        if let Some(known) = user::by_email(&tx, &stored.email).await?
            && member::role(&tx, company, known.id).await?.is_some()
        {
            return Ok(Asked::IsMember);
        }
        if invitation::list(&tx, company, now).await?.len() >= MOST {
            return Ok(Asked::TooMany);
        }
        invitation::create(&tx, &stored, &hash).await?;
        audit::add(&tx, company, &entry).await?;
        Ok(Asked::Invited)
    };
    let fault = match console.store.write::<_, StoreError, _, _>(company, invite).await? {
        Asked::Invited => {
            let title = ("Invitación lista", "The invitation is ready");
            let link = format!("{}{}", console.public_url, orquiva_people::invitation::path(&token));
            return Ok(html(&LinkPage {
                page: Page::of(&member, Some(Here::Members), title),
                invitation: new,
                link,
            }));
        }
        Asked::IsMember => {
            language.pick("Ya es miembro de la empresa.", "They are a member of the company already.")
        }
        Asked::TooMany => language.pick(
            "Hay 100 invitaciones abiertas. Retire alguna antes de crear otra.",
            "There are 100 open invitations. Withdraw one before you make another.",
        ),
    };
    faults.add("email", fault);
    Ok(refused(&page(&member, &email, role, faults)))
}

/// Withdraws an invitation: its link leads nowhere any more.
pub(crate) async fn withdraw(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    _form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageMembers)?;
    let id = InvitationId::parse(&id).ok_or(Stop::NotFound)?;
    let company = member.company.id;
    let open = invitation::list(&console.store.read().await?, company, console.clock.now()).await?;
    let known = open.into_iter().find(|one| one.id == id).ok_or(Stop::NotFound)?;
    match member.role.may_give(known.role) {
        true => {}
        false => return Err(Stop::Forbidden),
    }
    let act = Act::new("invitation.withdrawn", id).from(told(&known));
    console.change(&member, act, move |tx| async move { invitation::remove(&tx, company, id).await }).await?;
    Ok(Redirect::to("/admin/settings/members?said=invitation-withdrawn").into_response())
}

/// As the audit tells it.
pub(super) fn told(invitation: &Invitation) -> Value {
    json!({ "email": invitation.email, "role": invitation.role.as_str() })
}
