//! A new secret for an endpoint; the one before signs too for a while.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::Method;
use orquiva_core::Right;
use serde_json::json;

use super::create::SecretPage;
use super::endpoint::{Endpoint, find};
use crate::console::Console;
use crate::form::Form;
use crate::guest::random;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html};
use crate::stop::Stop;

/// For how many hours the present secret may go on signing.
const OVERLAPS: [i64; 5] = [0, 1, 24, 72, 168];

#[derive(Template)]
#[template(path = "webhooks/rotate.html")]
struct RotatePage {
    page: Page,
    endpoint: Endpoint,
    etag: String,
    key: String,
    overlaps: [i64; 5],
}

/// The form, for who has just proved who they are.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let (endpoint, etag) = find(&console, &member, &id).await?;
    member.confirmed(&console, &format!("/admin/webhooks/{id}/rotate"))?;
    Ok(html(&RotatePage {
        page: Page::of(&member, Some(Here::Webhooks), ("Rotar el secreto", "Rotate the secret")),
        endpoint,
        etag,
        key: random(console.chance.as_ref()),
        overlaps: OVERLAPS,
    }))
}

/// Rotates it, and shows the new one.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let (endpoint, _) = find(&console, &member, &id).await?;
    member.confirmed(&console, &format!("/admin/webhooks/{id}/rotate"))?;
    let hours =
        form.text("overlap").parse::<i64>().ok().filter(|hours| OVERLAPS.contains(hours)).unwrap_or(24);
    let who = member.does(Act::new("webhook.rotated", endpoint.id()).from(endpoint.0.clone()));
    let headers = [("if-match", form.text("etag")), ("idempotency-key", form.text("key"))];
    let path = format!("/webhooks/{}/rotate-secret", endpoint.id());
    let body = json!({ "overlapHours": hours });
    let rotated = console.inside.write(who, Method::POST, &path, &headers, Some(&body)).await?;
    let title = ("Secreto nuevo", "New secret");
    Ok(html(&SecretPage::of(&member, Endpoint(rotated.body), None, title)))
}
