//! A new secret for a client; the old one stays good for a while.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use orquiva_core::{Right, Secret};
use orquiva_store::client;
use serde_json::json;

use super::create::SecretPage;
use super::find;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html};
use crate::stop::Stop;

/// For how many hours the old secret may stay good.
const OVERLAPS: [u16; 5] = [0, 1, 24, 72, 168];

#[derive(Template)]
#[template(path = "clients/rotate.html")]
struct RotatePage {
    page: Page,
    id: String,
    name: String,
    overlaps: [u16; 5],
    last_used: Option<orquiva_core::Timestamp>,
}

/// The form, for who has just proved who they are.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManageClients)?;
    let client = find(&console, &member, &id).await?;
    member.confirmed(&console, &format!("/admin/api-clients/{id}/rotate"))?;
    let page = Page::of(&member, Some(Here::Clients), ("Rotar el secreto", "Rotate the secret"));
    Ok(html(&RotatePage {
        page,
        id,
        name: client.terms.name,
        overlaps: OVERLAPS,
        last_used: client.last_used_at,
    }))
}

/// Rotates it, and shows the new one.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageClients)?;
    let client = find(&console, &member, &id).await?;
    member.confirmed(&console, &format!("/admin/api-clients/{id}/rotate"))?;
    let hours =
        form.text("overlap").parse::<u16>().ok().filter(|hours| OVERLAPS.contains(hours)).unwrap_or(24);
    let secret = Secret::for_client(console.chance.as_ref());
    let (company, id, hash) = (member.company.id, client.id, console.key.hash(&secret));
    let until = console.clock.now().plus(i64::from(hours) * 3_600_000);
    let act = Act::new("client.rotated", id).to(json!({ "previousSecretUntil": until }));
    console
        .change(&member, act, move |tx| async move { client::rotate(&tx, company, id, &hash, until).await })
        .await?;
    Ok(html(&SecretPage::of(&console, &member, &client, &secret, false)))
}
