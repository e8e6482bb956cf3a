//! A file that is brought, and those that were.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::id::ImportId;
use orquiva_core::{Right, Timestamp};
use orquiva_store::import::{self, Job};
use orquiva_store::{StoreError, Tx};

use super::columns::guess;
use super::file::{Shape, rows};
use super::rows::place;
use super::told::Told;
use crate::console::Console;
use crate::form::Upload;
use crate::member::Member;
use crate::page::{Here, Page, html, refused};
use crate::people::one::own_fields;
use crate::show::Faults;
use crate::stop::Stop;

/// Most rows of a piece, and about how many bytes.
const PIECE: (usize, usize) = (500, 400 * 1024);

/// Most rows of a file.
const MOST: usize = 200_000;

/// Most columns of a file.
const COLUMNS: usize = 200;

/// An import, as the list shows it.
struct Past {
    id: String,
    file: String,
    rows: i64,
    state: String,
    at: Timestamp,
}

#[derive(Template)]
#[template(path = "people/upload.html")]
struct UploadPage {
    page: Page,
    past: Vec<Past>,
    faults: Faults,
}

async fn view(console: &Console, member: &Member, faults: Faults) -> Result<UploadPage, Stop> {
    let jobs = import::list(&console.store.read().await?, member.company.id, 20).await?;
    let past = jobs.into_iter().map(|job| {
        let told = Told::of(&job)?;
        Ok(Past {
            id: job.id.to_string(),
            file: told.word("file").to_owned(),
            rows: told.number("rows"),
            state: job.state,
            at: job.created_at,
        })
    });
    let page = Page::of(member, Some(Here::People), ("Importar personas", "Import people"));
    Ok(UploadPage { page, past: past.collect::<Result<_, StoreError>>()?, faults })
}

/// The form.
pub(crate) async fn show(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    Ok(html(&view(&console, &member, Faults::default()).await?))
}

/// Takes a file: its rows are sealed, in pieces.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    upload: Upload,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    match take(&console, &member, &upload).await? {
        Ok(id) => Ok(Redirect::to(&format!("/admin/employees/import/{id}")).into_response()),
        Err(what) => {
            let mut faults = Faults::default();
            faults.add("file", what);
            Ok(refused(&view(&console, &member, faults).await?))
        }
    }
}

/// Stores a file; or what to do about it.
async fn take(
    console: &Console,
    member: &Member,
    upload: &Upload,
) -> Result<Result<ImportId, &'static str>, Stop> {
    let language = member.guest.language;
    let no_rows = language.pick(
        "El archivo no tiene filas: la primera ha de ser la de los títulos, y debajo una por persona.",
        "The file has no rows: the first has to be the titles, and below it one for each person.",
    );
    let shape = Shape::guess(&upload.bytes);
    let mut reader = rows(&upload.bytes, shape);
    let mut records = reader.records();
    let Some(Ok(first)) = records.next() else { return Ok(Err(no_rows)) };
    let header: Vec<String> = first.iter().map(|title| title.trim().chars().take(100).collect()).collect();
    if header.len() > COLUMNS {
        return Ok(Err(language.pick("Tiene más de 200 columnas.", "It has more than 200 columns.")));
    }
    let columns = guess(&header, &own_fields(console, member).await?);
    let (company, id) = (member.company.id, console.mint.next());
    let mut told = Told::new(&upload.name, &header, &columns, language);
    told.set("encoding", shape.encoding.name());
    told.set(
        "separator",
        if shape.separator == b'\t' { "tab".to_owned() } else { char::from(shape.separator).to_string() },
    );
    let mut job = Job {
        id,
        company,
        state: "loading".to_owned(),
        told: told.text(),
        created_by: member.user.id,
        created_at: console.clock.now(),
    };
    let begun = job.clone();
    let create = move |tx: Tx| async move { import::create(&tx, &begun).await };
    console.store.write::<_, StoreError, _, _>(company, create).await?;
    let (mut piece, mut bytes, mut all, mut firsts) = (Vec::new(), 0, 0, Vec::new());
    let mut refused = None;
    loop {
        let record = records.next();
        let is_full = piece.len() == PIECE.0 || bytes > PIECE.1;
        if !piece.is_empty() && (record.is_none() || is_full) {
            let number = firsts.len() as i64;
            firsts.push((all - piece.len()).to_string());
            put(console, member, (id, number), &piece).await?;
            (piece, bytes) = (Vec::new(), 0);
        }
        let Some(Ok(record)) = record else { break };
        let row: Vec<String> = record.iter().map(str::to_owned).collect();
        bytes += row.iter().map(|cell| cell.len() + 4).sum::<usize>();
        piece.push(row);
        all += 1;
        if all > MOST || bytes > 2 * PIECE.1 {
            refused = Some(language.pick(
                "Tiene más de 200.000 filas, o una fila enorme por unas comillas sin cerrar. Divídalo o revíselo.",
                "It has more than 200,000 rows, or an enormous row because of quotes that are not closed. Split it or check it.",
            ));
            break;
        }
    }
    if all == 0 {
        refused = Some(no_rows);
    }
    let parts = firsts.len();
    told.set("rows", all);
    told.set("parts", parts);
    told.set("firsts", firsts);
    (job.state, job.told) = ("matching".to_owned(), told.text());
    let store = move |tx: Tx| async move {
        match refused {
            Some(_) => import::remove(&tx, company, id).await,
            None => import::advance(&tx, &job, "loading").await.map(drop),
        }
    };
    console.store.write::<_, StoreError, _, _>(company, store).await?;
    Ok(refused.map_or(Ok(id), Err))
}

async fn put(
    console: &Console,
    member: &Member,
    (id, number): (ImportId, i64),
    rows: &[Vec<String>],
) -> Result<(), Stop> {
    let company = member.company.id;
    let text = serde_json::to_vec(rows).map_err(StoreError::broken)?;
    let sealed = console.key.seal(&text, &place(id, number), console.chance.as_ref());
    let add = move |tx: Tx| async move { import::add_part(&tx, company, id, number, &sealed).await };
    Ok(console.store.write::<_, StoreError, _, _>(company, add).await?)
}
