//! Changes an endpoint: what it is told, whether it is called, and its end.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::Right;
use serde_json::json;

use super::endpoint::{Endpoint, Pulse, find, pulse};
use super::terms::{Draft, faults_of};
use crate::console::Console;
use crate::form::Form;
use crate::kinds;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "webhooks/edit.html")]
struct EditPage {
    page: Page,
    endpoint: Endpoint,
    etag: String,
    draft: Draft,
    faults: Faults,
    may_see_sensitive: bool,
}

impl EditPage {
    fn of(member: &Member, (endpoint, etag): (Endpoint, String), draft: Draft, faults: Faults) -> Self {
        Self {
            page: Page::of(member, Some(Here::Webhooks), ("Editar el webhook", "Edit the webhook")),
            may_see_sensitive: member.may(Right::SeeSensitive),
            endpoint,
            etag,
            draft,
            faults,
        }
    }

    fn groups(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        kinds::groups()
    }
}

/// The form.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let found = find(&console, &member, &id).await?;
    let draft = Draft::of(&found.0);
    Ok(html(&EditPage::of(&member, found, draft, Faults::default())))
}

/// Changes it.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let language = member.guest.language;
    let found = find(&console, &member, &id).await?;
    let draft = Draft::read(&form);
    let mut faults = Faults::default();
    let told = draft.told(Some(&found.0), language, &mut faults);
    if faults.is_empty() {
        let who = member.does(Act::new("webhook.updated", found.0.id()).from(found.0.0.clone()));
        let path = format!("/webhooks/{}", found.0.id());
        let headers = [("if-match", form.text("etag"))];
        match console.inside.write(who, Method::PATCH, &path, &headers, Some(&told)).await {
            Ok(_) => {
                let next = format!("/admin/webhooks/{}?said=webhook-changed", found.0.id());
                return Ok(Redirect::to(&next).into_response());
            }
            Err(error) if error.status() == 404 => return Err(error.into()),
            Err(error) => faults = faults_of(&error, language),
        }
    }
    Ok(refused(&EditPage::of(&member, found, draft, faults)))
}

/// Pauses it, or lets it go on.
pub(crate) async fn status(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let (endpoint, _) = find(&console, &member, &id).await?;
    let (status, action, said) = match form.text("status") {
        "paused" => ("paused", "webhook.paused", "webhook-paused"),
        _ => ("enabled", "webhook.resumed", "webhook-resumed"),
    };
    let who = member.does(Act::new(action, endpoint.id()).from(endpoint.0.clone()));
    let (path, headers) = (format!("/webhooks/{}", endpoint.id()), [("if-match", form.text("etag"))]);
    let told = json!({ "status": status });
    console.inside.write(who, Method::PATCH, &path, &headers, Some(&told)).await?;
    Ok(Redirect::to(&format!("/admin/webhooks/{}?said={said}", endpoint.id())).into_response())
}

#[derive(Template)]
#[template(path = "webhooks/delete.html")]
struct DeletePage {
    page: Page,
    endpoint: Endpoint,
    etag: String,
    pulse: Pulse,
}

/// What ends with it, and the button.
pub(crate) async fn ask(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let (endpoint, etag) = find(&console, &member, &id).await?;
    let pulse = pulse(&console, member.reads(), endpoint.id()).await?;
    let page = Page::of(&member, Some(Here::Webhooks), ("Borrar el webhook", "Delete the webhook"));
    Ok(html(&DeletePage { page, endpoint, etag, pulse }))
}

/// Removes it.
pub(crate) async fn delete(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let (endpoint, _) = find(&console, &member, &id).await?;
    let who = member.does(Act::new("webhook.deleted", endpoint.id()).from(endpoint.0.clone()));
    let (path, headers) = (format!("/webhooks/{}", endpoint.id()), [("if-match", form.text("etag"))]);
    console.inside.write(who, Method::DELETE, &path, &headers, None).await?;
    Ok(Redirect::to("/admin/webhooks?said=webhook-deleted").into_response())
}
