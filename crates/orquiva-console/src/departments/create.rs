//! A new department.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::Right;
use orquiva_core::id::RequestKind;

use super::draft::Draft;
use super::tree::all;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;
use crate::told;

#[derive(Template)]
#[template(path = "departments/new.html")]
struct NewPage {
    page: Page,
    draft: Draft,
    parents: Vec<(String, String)>,
    faults: Faults,
    action: &'static str,
    button: &'static str,
    once: String,
    etag: String,
}

async fn view(
    console: &Console,
    member: &Member,
    draft: Draft,
    faults: Faults,
    once: String,
) -> Result<NewPage, Stop> {
    let page = Page::of(member, Some(Here::Departments), ("Nuevo departamento", "New department"));
    let parents = all(console, member).await?.into_iter().map(|one| (one.id.to_string(), one.name)).collect();
    let button = page.t("Crear el departamento", "Create the department");
    let etag = String::new();
    Ok(NewPage { page, draft, parents, faults, action: "/admin/departments", button, once, etag })
}

/// The form.
pub(crate) async fn show(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let once = console.mint.next::<RequestKind>().to_string();
    Ok(html(&view(&console, &member, Draft::default(), Faults::default(), once).await?))
}

/// Creates it.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let draft = Draft::read(&console, &member, &form).await?;
    let (once, mut faults) = (form.text("once").to_owned(), Faults::default());
    let body = draft.body(&console, &member, None, &mut faults).await?;
    if faults.is_empty() {
        let act = member.does(Act::creating("department.created"));
        let headers = [("idempotency-key", once.as_str())];
        match console.inside.write(act, Method::POST, "/departments", &headers, Some(&body)).await {
            Ok(_) => return Ok(Redirect::to("/admin/departments?said=department-created").into_response()),
            Err(problem) => faults = told::faults(problem, member.guest.language)?,
        }
    }
    Ok(refused(&view(&console, &member, draft, faults, once).await?))
}
