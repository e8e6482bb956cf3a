//! One department: its name, where it stands, who leads it; and the form that changes them.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::Right;
use orquiva_core::id::DepartmentId;
use orquiva_store::department;

use super::draft::Draft;
use super::tree::{Unit, all};
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;
use crate::told::{self, WHOLE};

#[derive(Template)]
#[template(path = "departments/detail.html")]
struct DetailPage {
    page: Page,
    id: String,
    draft: Draft,
    parents: Vec<(String, String)>,
    faults: Faults,
    action: String,
    button: &'static str,
    once: String,
    etag: String,
    /// What it stands under, from the top.
    way: Vec<(String, String)>,
    children: Vec<(String, String)>,
    people: i64,
    may: bool,
}

/// A department as the API shows it, and its entity tag.
pub(super) async fn find(
    console: &Console,
    member: &Member,
    id: &str,
) -> Result<(Unit, String, serde_json::Value), Stop> {
    let id = DepartmentId::parse(id).ok_or(Stop::NotFound)?;
    let reply = console.inside.read(member.reads(), &format!("/departments/{id}")).await?;
    Ok((Unit::of(&reply.body).ok_or(Stop::NotFound)?, reply.etag, reply.body))
}

async fn view(
    console: &Console,
    member: &Member,
    (unit, etag): (&Unit, String),
    draft: Draft,
    faults: Faults,
) -> Result<DetailPage, Stop> {
    let page = Page::of(member, Some(Here::Departments), (&unit.name, &unit.name));
    let units = all(console, member).await?;
    let (people, _) = department::use_of(&console.store.read().await?, member.company.id, unit.id).await?;
    let mut way: Vec<&Unit> = Vec::new();
    let mut above = unit.parent;
    while let Some(next) = above.and_then(|id| units.iter().find(|one| one.id == id)) {
        above = next.parent.filter(|_| way.len() < units.len());
        way.insert(0, next);
    }
    let pair = |one: &Unit| (one.id.to_string(), one.name.clone());
    Ok(DetailPage {
        id: unit.id.to_string(),
        draft,
        parents: units.iter().filter(|one| one.id != unit.id).map(pair).collect(),
        faults,
        action: format!("/admin/departments/{}", unit.id),
        button: page.t("Guardar", "Save"),
        once: String::new(),
        etag,
        way: way.into_iter().map(pair).collect(),
        children: units.iter().filter(|one| one.parent == Some(unit.id)).map(pair).collect(),
        people,
        may: member.may(Right::ManagePeople),
        page,
    })
}

/// The page.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    let (unit, etag, _) = find(&console, &member, &id).await?;
    let draft = Draft::of(&console, &member, &unit).await?;
    Ok(html(&view(&console, &member, (&unit, etag), draft, Faults::default()).await?))
}

/// Renames it, moves it, or says who leads it.
pub(crate) async fn change(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let (unit, etag, body_before) = find(&console, &member, &id).await?;
    let before = Draft::of(&console, &member, &unit).await?;
    let draft = Draft::read(&console, &member, &form).await?;
    let mut faults = Faults::default();
    let body = draft.body(&console, &member, Some(&before), &mut faults).await?;
    if faults.is_empty() {
        let act = Act::new("department.updated", unit.id).from(body_before);
        let (headers, path) = ([("if-match", form.text("etag"))], format!("/departments/{}", unit.id));
        match console.inside.write(member.does(act), Method::PATCH, &path, &headers, Some(&body)).await {
            Ok(_) => {
                let to = format!("/admin/departments/{}?said=department-changed", unit.id);
                return Ok(Redirect::to(&to).into_response());
            }
            Err(problem) if problem.status() == 412 => faults = stale(&member, &draft, &before),
            Err(problem) => faults = told::faults(problem, member.guest.language)?,
        }
    }
    Ok(refused(&view(&console, &member, (&unit, etag), draft, faults).await?))
}

/// What is wrong with a form that was made of an older version: what stands there by now.
fn stale(member: &Member, draft: &Draft, now: &Draft) -> Faults {
    let language = member.guest.language;
    let mut faults = Faults::default();
    faults.add(
        WHOLE,
        language.pick(
            "Alguien ha cambiado este departamento mientras lo editaba. No se ha guardado nada: lo que escribió sigue aquí. Revíselo y guarde de nuevo.",
            "Someone has changed this department while you were editing. Nothing was saved: what you typed is still here. Look at it and save again.",
        ),
    );
    for (field, typed, now) in [("name", &draft.name, &now.name), ("code", &draft.code, &now.code)] {
        if typed != now {
            faults.add(field, language.pick(format!("Ahora consta: {now}"), format!("Stored now: {now}")));
        }
    }
    faults
}
