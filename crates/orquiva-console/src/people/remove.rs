//! A person, deleted for good, once it is clear what goes with them.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::Right;
use orquiva_store::{department, employee};

use super::one::{One, find};
use super::references::stale;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "people/remove.html")]
struct RemovePage {
    page: Page,
    one: One,
    references: usize,
    reports: usize,
    leads: usize,
    fault: &'static str,
}

async fn view(console: &Console, member: &Member, one: One, fault: &'static str) -> Result<RemovePage, Stop> {
    let (tx, company) = (console.store.read().await?, member.company.id);
    Ok(RemovePage {
        page: Page::of(member, Some(Here::People), ("Borrar a una persona", "Delete a person")),
        references: one.body["external_refs"].as_object().map_or(0, serde_json::Map::len),
        reports: employee::reports(&tx, company, one.id).await?.len(),
        leads: department::led_by(&tx, company, one.id).await?.len(),
        one,
        fault,
    })
}

/// What would go, and the button.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let one = find(&console, &member, &id).await?;
    Ok(html(&view(&console, &member, one, "").await?))
}

/// Deletes them.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let one = find(&console, &member, &id).await?;
    let act = Act::new("employee.deleted", one.id).from(one.body.clone());
    let path = format!("/employees/{}", one.id);
    let headers = [("if-match", form.text("etag"))];
    match console.inside.write(member.does(act), Method::DELETE, &path, &headers, None).await {
        Ok(_) => Ok(Redirect::to("/admin/employees?said=person-deleted").into_response()),
        Err(problem) if problem.status() == 412 => {
            let one = find(&console, &member, &id).await?;
            Ok(refused(&view(&console, &member, one, stale(&member)).await?))
        }
        Err(problem) => Err(problem.into()),
    }
}
