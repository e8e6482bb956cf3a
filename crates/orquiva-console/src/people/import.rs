//! People from a file: brought, matched to fields, rehearsed, imported in pieces, and taken back.

mod columns;
mod file;
mod rows;
mod told;
pub(crate) mod upload;
pub(crate) mod work;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::Right;
use orquiva_core::id::ImportId;
use orquiva_store::import::{self, Job};
use orquiva_store::{StoreError, Tx};
use serde_json::json;

use self::rows::{faults_of, place};
use self::told::Told;
use super::one::own_fields;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Rows of a file that are shown beside its columns.
const SAMPLES: usize = 3;

/// Bad rows that a page shows at once, at least: those of a piece stay together.
const FAULTS: usize = 200;

/// A column of a file, and what it is.
struct Column {
    index: usize,
    title: String,
    samples: String,
    chosen: String,
}

/// A row that is wrong.
struct Bad {
    row: i64,
    column: String,
    what: String,
}

#[derive(Template)]
#[template(path = "people/import.html")]
struct ImportPage {
    page: Page,
    id: String,
    state: String,
    told: Told,
    columns: Vec<Column>,
    targets: Vec<(String, String)>,
    bad: Vec<Bad>,
    /// From which piece on there may be more.
    next: Option<i64>,
    faults: Faults,
}

impl ImportPage {
    fn is(&self, state: &str) -> bool {
        self.state == state
    }

    /// Whether it goes on by itself.
    fn works(&self) -> bool {
        matches!(self.state.as_str(), "checking" | "running" | "linking" | "undoing")
    }

    fn rows(&self) -> i64 {
        self.told.number("rows")
    }

    /// How many of the rows would be, or were, imported.
    fn good(&self) -> i64 {
        match self.state.as_str() {
            "checked" => self.rows() - self.told.number("bad"),
            _ => self.told.number("good"),
        }
    }

    /// How far the present step has come, of how much.
    fn progress(&self) -> (i64, i64) {
        let parts = self.told.number("parts");
        let all = if self.is("checking") && self.told.has_managers() { 2 * parts } else { parts };
        (self.told.number("done").min(all), all)
    }
}

/// An import of the member's company.
async fn find(console: &Console, member: &Member, id: &str) -> Result<Job, Stop> {
    let id = ImportId::parse(id).ok_or(Stop::NotFound)?;
    Ok(import::get(&console.store.read().await?, member.company.id, id).await?)
}

async fn view(
    console: &Console,
    member: &Member,
    job: &Job,
    from: i64,
    faults: Faults,
) -> Result<ImportPage, Stop> {
    let page = Page::of(member, Some(Here::People), ("Importar personas", "Import people"));
    let told = Told::of(job)?;
    let tx = console.store.read().await?;
    let (mut bad, mut next, mut number) = (Vec::new(), None, from);
    while let Some(part) = import::faulty(&tx, job.company, job.id, number).await? {
        if bad.len() >= FAULTS {
            next = Some(part.number);
            break;
        }
        number = part.number + 1;
        bad.extend(faults_of(&part)?.into_iter().map(|(row, column, what)| Bad { row, column, what }));
    }
    let mut columns = Vec::new();
    if job.state == "matching" {
        let part = import::part(&tx, job.company, job.id, 0).await?;
        let opened = console.key.open(&part.sealed, &place(job.id, 0)).map_err(StoreError::broken)?;
        let rows: Vec<Vec<String>> = serde_json::from_slice(&opened).map_err(StoreError::broken)?;
        let chosen = told.list("columns");
        for (index, title) in told.list("header").into_iter().enumerate() {
            let samples = rows.iter().filter_map(|row| row.get(index)).filter(|text| !text.trim().is_empty());
            let samples: Vec<String> =
                samples.take(SAMPLES).map(|text| text.chars().take(40).collect()).collect();
            let chosen = chosen.get(index).cloned().unwrap_or_default();
            columns.push(Column { index, title, samples: samples.join(" · "), chosen });
        }
    }
    drop(tx);
    let own = own_fields(console, member).await?;
    Ok(ImportPage {
        targets: columns::targets(&own, member.may(Right::SeeSensitive), page.language()),
        id: job.id.to_string(),
        state: job.state.clone(),
        told,
        columns,
        bad,
        next,
        faults,
        page,
    })
}

/// Where an import stands.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let job = find(&console, &member, &id).await?;
    let from = asked.get("from").and_then(|from| from.parse().ok()).unwrap_or(0);
    Ok(html(&view(&console, &member, &job, from, Faults::default()).await?))
}

/// Says which column is what, and starts the rehearsal.
pub(crate) async fn check(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let job = find(&console, &member, &id).await?;
    let mut told = Told::of(&job)?;
    let own = own_fields(&console, &member).await?;
    let known = columns::targets(&own, member.may(Right::SeeSensitive), member.guest.language);
    let count = told.list("header").len();
    let chosen = (0..count).map(|index| {
        let text = form.text(&format!("column-{index}"));
        match known.iter().any(|(name, _)| name == text) {
            true => text.to_owned(),
            false => String::new(),
        }
    });
    let chosen: Vec<String> = chosen.collect();
    let mut faults = Faults::default();
    for (index, name) in chosen.iter().enumerate() {
        let twice = !name.is_empty() && name != columns::REFERENCE && chosen[..index].contains(name);
        if twice {
            let what = member
                .guest
                .language
                .pick("Ya hay otra columna para este campo.", "Another column is this field already.");
            faults.add(&format!("column-{index}"), what);
        }
    }
    if !chosen.iter().any(|name| name == "email") {
        let what = member.guest.language.pick(
            "Elija qué columna es el correo de trabajo: cada persona necesita uno.",
            "Choose which column is the work e-mail: each person needs one.",
        );
        faults.add("", what);
    }
    told.set("columns", chosen);
    if !faults.is_empty() {
        let job = Job { told: told.text(), ..job };
        return Ok(refused(&view(&console, &member, &job, 0, faults).await?));
    }
    told.start();
    let changed = Job { state: "checking".to_owned(), told: told.text(), ..job };
    moved(&console, &changed, "matching").await
}

/// Goes back to the matching of columns.
pub(crate) async fn again(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    _form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let job = find(&console, &member, &id).await?;
    moved(&console, &Job { state: "matching".to_owned(), ..job }, "checked").await
}

/// Starts the import of every good row.
pub(crate) async fn run(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    _form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    started(&console, &member, &id, ("checked", "running"), "import.started").await
}

/// Starts to take back whom the import has brought.
pub(crate) async fn undo(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    _form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let job = find(&console, &member, &id).await?;
    let from = if job.state == "stopped" { "stopped" } else { "done" };
    started(&console, &member, &id, (from, "undoing"), "import.undone").await
}

/// Forgets a file that nobody was imported from.
pub(crate) async fn discard(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    _form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let job = find(&console, &member, &id).await?;
    if matches!(job.state.as_str(), "loading" | "matching" | "checking" | "checked" | "undone") {
        let (company, id) = (job.company, job.id);
        let remove = move |tx: Tx| async move { import::remove(&tx, company, id).await };
        console.store.write::<_, StoreError, _, _>(company, remove).await?;
    }
    Ok(Redirect::to("/admin/employees/import?said=import-discarded").into_response())
}

/// Moves an import on from a state in which it was; if it is in another one by now, its page shows that.
async fn moved(console: &Console, job: &Job, from: &'static str) -> Result<Response, Stop> {
    let changed = job.clone();
    let advance = move |tx: Tx| async move { import::advance(&tx, &changed, from).await };
    console.store.write::<_, StoreError, _, _>(job.company, advance).await?;
    Ok(Redirect::to(&format!("/admin/employees/import/{}", job.id)).into_response())
}

async fn started(
    console: &Console,
    member: &Member,
    id: &str,
    (from, to): (&'static str, &'static str),
    action: &'static str,
) -> Result<Response, Stop> {
    let job = find(console, member, id).await?;
    let mut told = Told::of(&job)?;
    if to == "running" {
        told.start();
    } else {
        for name in ["done", "gone", "freed", "round"] {
            told.set(name, 0);
        }
    }
    let act = Act::new(action, job.id).to(json!({ "file": told.word("file"), "rows": told.number("rows") }));
    let changed = Job { state: to.to_owned(), told: told.text(), ..job };
    let id = changed.id;
    if find(console, member, &id.to_string()).await?.state == from {
        console
            .change(member, act, move |tx| async move { import::advance(&tx, &changed, from).await })
            .await?;
    }
    Ok(Redirect::to(&format!("/admin/employees/import/{id}")).into_response())
}
