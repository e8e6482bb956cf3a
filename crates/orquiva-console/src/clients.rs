//! `/admin/api-clients`: who may call the API for the company, and on what terms.

pub(crate) mod create;
pub(crate) mod revoke;
pub(crate) mod rotate;
mod terms;

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::id::ClientId;
use orquiva_core::{Language, Right, Scope, Timestamp};
use orquiva_store::client::{self, Client};
use orquiva_store::{StoreError, Tx, usage};
use serde_json::{Value, json};

use self::terms::Draft;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;

/// How a client stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    Live,
    Expired,
    Revoked,
}

/// A client as the pages show it.
pub(crate) struct Shown {
    client: Client,
    state: Stand,
    requests: i64,
}

impl Shown {
    fn of(client: Client, requests: i64, now: Timestamp) -> Self {
        let state = match (&client.revoked_at, client.terms.expires_at) {
            (Some(_), _) => Stand::Revoked,
            (None, Some(end)) if end <= now => Stand::Expired,
            (None, _) => Stand::Live,
        };
        Self { client, state, requests }
    }

    fn is_live(&self) -> bool {
        self.state == Stand::Live
    }

    fn state(&self, language: Language) -> (&'static str, &'static str) {
        match self.state {
            Stand::Live => ("good", language.pick("Activo", "Active")),
            Stand::Expired => ("warn", language.pick("Caducado", "Expired")),
            Stand::Revoked => ("off", language.pick("Revocado", "Revoked")),
        }
    }

    fn scopes(&self) -> Vec<&'static Scope> {
        Scope::ALL.iter().filter(|scope| self.client.terms.scopes.has(**scope)).collect()
    }

    /// When its old secret ends, if it still has one.
    fn overlap(&self, now: Timestamp) -> Option<Timestamp> {
        self.client.previous.as_ref().map(|(_, until)| *until).filter(|until| *until > now)
    }
}

/// What the audit tells of a client's terms.
pub(crate) fn told(client: &Client) -> Value {
    let terms = &client.terms;
    json!({
        "name": terms.name, "scopes": terms.scopes, "expiresAt": terms.expires_at, "allowedIps": terms.allowed_ips,
        "share": terms.share, "dpopRequired": terms.dpop_required,
    })
}

/// A client of the member's company.
pub(crate) async fn find(console: &Console, member: &Member, id: &str) -> Result<Client, Stop> {
    let id = ClientId::parse(id).ok_or(Stop::NotFound)?;
    Ok(client::get(&console.store.read().await?, member.company.id, id).await?)
}

/// How many requests each client made in the last day.
async fn requests(tx: &Tx, member: &Member, now: Timestamp) -> Result<HashMap<ClientId, i64>, StoreError> {
    usage::by_client(tx, member.company.id, now.plus(-86_400_000)).await
}

#[derive(Template)]
#[template(path = "clients/list.html")]
struct ListPage {
    page: Page,
    clients: Vec<Shown>,
    may: bool,
}

/// Every client, those that live first.
pub(crate) async fn list(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    let now = console.clock.now();
    let tx = console.store.read().await?;
    let requests = requests(&tx, &member, now).await?;
    let shown = |client: Client| {
        let made = requests.get(&client.id).copied().unwrap_or(0);
        Shown::of(client, made, now)
    };
    let mut clients: Vec<_> = client::list(&tx, member.company.id).await?.into_iter().map(shown).collect();
    clients.reverse();
    clients.sort_by_key(|one| !one.is_live());
    let page = Page::of(&member, Some(Here::Clients), ("Clientes de API", "API clients"));
    Ok(html(&ListPage { page, clients, may: member.may(Right::ManageClients) }))
}

#[derive(Template)]
#[template(path = "clients/detail.html")]
struct DetailPage {
    page: Page,
    shown: Shown,
    draft: Draft,
    faults: Faults,
    overlap: Option<Timestamp>,
    base: String,
    may: bool,
}

async fn detail_page(
    console: &Console,
    member: &Member,
    client: Client,
    draft: Draft,
    faults: Faults,
) -> Result<DetailPage, Stop> {
    let now = console.clock.now();
    let requests = requests(&console.store.read().await?, member, now).await?;
    let made = requests.get(&client.id).copied().unwrap_or(0);
    let shown = Shown::of(client, made, now);
    let name = shown.client.terms.name.clone();
    Ok(DetailPage {
        page: Page::of(member, Some(Here::Clients), (&name, &name)),
        overlap: shown.overlap(now),
        may: member.may(Right::ManageClients) && shown.client.revoked_at.is_none(),
        base: console.public_url.clone(),
        shown,
        draft,
        faults,
    })
}

/// One client, and the form that changes it.
pub(crate) async fn detail(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    let client = find(&console, &member, &id).await?;
    let draft = Draft::of(&client.terms);
    Ok(html(&detail_page(&console, &member, client, draft, Faults::default()).await?))
}

/// Changes a client; its live tokens follow within a second.
pub(crate) async fn change(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageClients)?;
    let client = find(&console, &member, &id).await?;
    let draft = Draft::read(&form);
    let terms = match draft.terms(&client.terms, member.guest.language) {
        Ok(terms) => terms,
        Err(faults) => return Ok(refused(&detail_page(&console, &member, client, draft, faults).await?)),
    };
    let (company, id) = (member.company.id, client.id);
    let after = Client { terms: terms.clone(), ..client.clone() };
    let act = Act::new("client.updated", id).from(told(&client)).to(told(&after));
    console
        .change(&member, act, move |tx| async move { client::change(&tx, company, id, &terms).await })
        .await?;
    Ok(Redirect::to(&format!("/admin/api-clients/{id}?said=client-changed")).into_response())
}
