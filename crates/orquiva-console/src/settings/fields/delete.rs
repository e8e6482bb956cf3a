//! The end of a field, once it is clear how many people have a value of it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::Right;
use orquiva_store::custom_field;

use super::{find, path};
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::settings::stale;
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "settings/field_delete.html")]
struct DeletePage {
    page: Page,
    slug: String,
    label: String,
    people: i64,
    key: String,
    fault: &'static str,
}

async fn page(
    console: &Console,
    member: &Member,
    slug: &str,
    fault: &'static str,
) -> Result<DeletePage, Stop> {
    let found = find(console, member, slug).await?;
    let (company, slug) = (member.company.id, found.body["slug"].as_str().unwrap_or_default().to_owned());
    let wanted = slug.clone();
    let count = move |tx| async move { custom_field::count_values(&tx, company, &wanted).await };
    Ok(DeletePage {
        page: Page::of(member, Some(Here::Settings), ("Borrar el campo", "Delete the field")),
        people: console.store.scan(count).await?,
        label: found.body["label"].as_str().unwrap_or_default().to_owned(),
        key: found.etag,
        slug,
        fault,
    })
}

/// How many people have it, and the button.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(slug): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManageSettings)?;
    Ok(html(&page(&console, &member, &slug, "").await?))
}

/// Deletes it, with every value.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(slug): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageSettings)?;
    let who = member.does(Act::new("custom_field.deleted", &slug));
    let headers = [("if-match", form.text("key"))];
    let address = format!("{}?force=true", path(&slug));
    match console.inside.write(who, Method::DELETE, &address, &headers, None).await {
        Ok(_) => Ok(Redirect::to("/admin/settings?said=field-deleted").into_response()),
        Err(refusal) if refusal.status() == 412 => {
            Ok(refused(&page(&console, &member, &slug, stale(member.guest.language)).await?))
        }
        Err(refusal) => Err(refusal.into()),
    }
}
