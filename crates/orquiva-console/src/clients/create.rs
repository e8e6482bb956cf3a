//! A new client, whose secret is shown this once, with lines that run.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::id::ClientId;
use orquiva_core::{Right, Scope, Scopes, Secret};
use orquiva_store::StoreError;
use orquiva_store::client::{self, Client, Terms};

use super::terms::Draft;
use super::told;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::sign_in::Asked;
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "clients/new.html")]
struct NewPage {
    page: Page,
    /// The id that the client will get: a form that is sent twice makes one client.
    id: String,
    draft: Draft,
    faults: Faults,
    /// Whether it is the first one of a new company.
    first: bool,
}

const TITLE: (&str, &str) = ("Nuevo cliente de API", "New API client");

/// The form.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    member.must(Right::ManageClients)?;
    let first = asked.contains_key("first");
    let page = Page::of(&member, Some(Here::Clients), TITLE);
    let draft = match first {
        true => {
            Draft::of(&Terms::new(page.t("Mi primera integración", "My first integration"), Scopes::all()))
        }
        false => Draft::default(),
    };
    let id = console.mint.next::<orquiva_core::id::ClientKind>().to_string();
    Ok(html(&NewPage { page, id, draft, faults: Faults::default(), first }))
}

/// Creates it.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageClients)?;
    let id = ClientId::parse(form.text("id")).ok_or(Stop::Forged)?;
    let draft = Draft::read(&form);
    let terms = match draft.terms(&Terms::new("", Scopes::default()), member.guest.language) {
        Ok(terms) => terms,
        Err(faults) => {
            let page = Page::of(&member, Some(Here::Clients), TITLE);
            return Ok(refused(&NewPage {
                page,
                id: id.to_string(),
                draft,
                faults,
                first: form.has("first"),
            }));
        }
    };
    let secret = Secret::for_client(console.chance.as_ref());
    let new = Client {
        company: member.company.id,
        id,
        terms,
        secret_hash: console.key.hash(&secret),
        previous: None,
        created_by: member.user.id.to_string(),
        created_at: console.clock.now(),
        last_used_at: None,
        revoked_at: None,
    };
    let shown = new.clone();
    let act = Act::new("client.created", id).to(told(&new));
    let created = console.change(&member, act, move |tx| async move {
        match client::find(&tx, new.id).await {
            Err(StoreError::NotFound) => client::create(&tx, &new).await,
            Ok(_) => Err(StoreError::Duplicate("client_id")),
            Err(error) => Err(error),
        }
    });
    match created.await {
        Ok(()) => Ok(html(&SecretPage::of(&console, &member, &shown, &secret, true))),
        // It was sent twice: the secret was shown the first time.
        Err(StoreError::Duplicate(_)) => {
            Ok(Redirect::to(&format!("/admin/api-clients/{id}")).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// The one page that shows a secret.
#[derive(Template)]
#[template(path = "clients/secret.html")]
pub(super) struct SecretPage {
    page: Page,
    id: String,
    secret: String,
    base: String,
    may_read: bool,
}

impl SecretPage {
    /// Lines for a shell.
    fn curl(&self) -> String {
        let Self { id, secret, base, .. } = self;
        let call = match self.may_read {
            true => "/v1/employees",
            false => "/v1/me",
        };
        format!(
            "TOKEN=$(curl -s {base}/oauth/token \\\n  -d grant_type=client_credentials \\\n  -d client_id={id} \\\n  -d client_secret={secret} \\\n  | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')\ncurl {base}{call} -H \"Authorization: Bearer $TOKEN\""
        )
    }

    /// A program for Node 18 or newer.
    fn node(&self) -> String {
        let Self { id, secret, base, .. } = self;
        format!(
            r#"// node try.mjs
const base = "{base}";
const body = new URLSearchParams({{
  grant_type: "client_credentials",
  client_id: "{id}",
  client_secret: "{secret}",
}});
const {{ access_token }} = await (await fetch(`${{base}}/oauth/token`, {{ method: "POST", body }})).json();
const me = await fetch(`${{base}}/v1/me`, {{ headers: {{ authorization: `Bearer ${{access_token}}` }} }});
console.log(await me.json());"#
        )
    }

    /// A program for Python 3, without further packages.
    fn python(&self) -> String {
        let Self { id, secret, base, .. } = self;
        format!(
            r#"# python3 try.py
import json, urllib.parse, urllib.request

base = "{base}"
form = urllib.parse.urlencode({{
    "grant_type": "client_credentials",
    "client_id": "{id}",
    "client_secret": "{secret}",
}}).encode()
token = json.load(urllib.request.urlopen(base + "/oauth/token", form))["access_token"]
request = urllib.request.Request(base + "/v1/me", headers={{"Authorization": "Bearer " + token}})
print(json.load(urllib.request.urlopen(request)))"#
        )
    }

    /// Of a client that has just got `secret`.
    pub(super) fn of(
        console: &Console,
        member: &Member,
        client: &Client,
        secret: &Secret,
        is_new: bool,
    ) -> Self {
        let title = match is_new {
            true => ("Cliente de API creado", "API client created"),
            false => ("Secreto nuevo", "New secret"),
        };
        Self {
            page: Page::of(member, Some(Here::Clients), title),
            id: client.id.to_string(),
            secret: secret.expose().to_owned(),
            base: console.public_url.clone(),
            may_read: client.terms.scopes.has(Scope::EmployeesRead),
        }
    }
}
