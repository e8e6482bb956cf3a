//! The end of a client, once it is clear what breaks with it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::Right;
use orquiva_store::client;

use super::{Shown, find, requests, told};
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html};
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "clients/revoke.html")]
struct RevokePage {
    page: Page,
    shown: Shown,
}

/// What would break, and the button.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManageClients)?;
    let client = find(&console, &member, &id).await?;
    let now = console.clock.now();
    let made = requests(&console.store.read().await?, &member, now).await?.get(&client.id).copied();
    let page = Page::of(&member, Some(Here::Clients), ("Revocar el cliente de API", "Revoke the API client"));
    Ok(html(&RevokePage { page, shown: Shown::of(client, made.unwrap_or(0), now) }))
}

/// Revokes it.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    _form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageClients)?;
    let client = find(&console, &member, &id).await?;
    let (company, id, now) = (member.company.id, client.id, console.clock.now());
    let act = Act::new("client.revoked", id).from(told(&client));
    console
        .change(&member, act, move |tx| async move { client::revoke(&tx, company, id, now).await })
        .await?;
    Ok(Redirect::to("/admin/api-clients?said=client-revoked").into_response())
}
