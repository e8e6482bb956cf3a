//! A department, removed; another one takes its place if it is not empty.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::Right;
use orquiva_store::department;

use super::detail::find;
use super::tree::all;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::next::escaped;
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;
use crate::told::{self, WHOLE};

#[derive(Template)]
#[template(path = "departments/remove.html")]
struct RemovePage {
    page: Page,
    id: String,
    name: String,
    etag: String,
    people: i64,
    below: i64,
    others: Vec<(String, String)>,
    faults: Faults,
}

async fn view(console: &Console, member: &Member, id: &str, faults: Faults) -> Result<RemovePage, Stop> {
    let (unit, etag, _) = find(console, member, id).await?;
    let tx = console.store.read().await?;
    let (people, below) = department::use_of(&tx, member.company.id, unit.id).await?;
    let others = all(console, member).await?.into_iter().filter(|one| one.id != unit.id);
    Ok(RemovePage {
        page: Page::of(member, Some(Here::Departments), ("Borrar el departamento", "Delete the department")),
        id: unit.id.to_string(),
        name: unit.name,
        etag,
        people,
        below,
        others: others.map(|one| (one.id.to_string(), one.name)).collect(),
        faults,
    })
}

/// What is in it, where that would go, and the button.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    Ok(html(&view(&console, &member, &id, Faults::default()).await?))
}

/// Removes it.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let language = member.guest.language;
    let (unit, _, before) = find(&console, &member, &id).await?;
    let replacement = match form.text("replaceWith") {
        "" => String::new(),
        other => format!("?replaceWith={}", escaped(other)),
    };
    let path = format!("/departments/{}{replacement}", unit.id);
    let act = Act::new("department.deleted", unit.id).from(before);
    let headers = [("if-match", form.text("etag"))];
    let mut faults = Faults::default();
    match console.inside.write(member.does(act), Method::DELETE, &path, &headers, None).await {
        Ok(_) => return Ok(Redirect::to("/admin/departments?said=department-deleted").into_response()),
        Err(problem) if problem.status() == 412 => faults.add(
            WHOLE,
            language.pick(
                "Alguien ha cambiado este departamento mientras tanto. No se ha borrado nada: revíselo y envíelo de nuevo.",
                "Someone has changed this department in the meantime. Nothing was deleted: look at it and send it again.",
            ),
        ),
        Err(problem) if problem.status() == 409 => faults.add(
            "replaceWith",
            language.pick("Elija a qué departamento pasan.", "Choose to which department they move."),
        ),
        Err(problem) => faults = told::faults(problem, language)?,
    }
    Ok(refused(&view(&console, &member, &id, faults).await?))
}
