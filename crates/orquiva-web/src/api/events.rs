//! `/v1/events`: the company's log, in the order of its `sequence`.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::response::{AppendHeaders, IntoResponse};
use futures_util::stream;
use http::{HeaderMap, HeaderName, header};
use orquiva_core::event::Types;
use orquiva_core::id::EventId;
use orquiva_core::{Code, Fault, FieldError, Scope};
use orquiva_store::event::{self, Log};

use crate::app::App;
use crate::caller::Caller;
use crate::cursor::next_link;
use crate::feed::Pass;
use crate::params::Params;
use crate::problem::Problem;

const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

/// One event, byte for byte as webhooks carry it.
#[utoipa::path(
    get,
    path = "/events/{id}",
    tag = "Events",
    operation_id = "getEvent",
    security(("client" = ["events:read"])),
    responses((status = 200, body = ref("Event")))
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::EventsRead)?;
    params.finish()?;
    let id = EventId::parse(&id).ok_or(Code::NotFound)?;
    let granted = caller.may(Scope::EmployeesSensitiveRead);
    let tx = app.store.read().await?;
    Ok(([JSON], event::get(&tx, caller.company, id).await?.envelope(granted)))
}

/// The events after `after` that were asked for, in order: from the oldest that is kept, if it is not there.
/// `nextAfter` is where to go on, also when nothing came or nothing of what was asked for.
#[utoipa::path(
    get,
    path = "/events",
    tag = "Events",
    operation_id = "listEvents",
    security(("client" = ["events:read"])),
    params(("types", Query), ("after", Query)),
    responses((status = 200, body = ref("EventPage")), (status = 410))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::EventsRead)?;
    let limit = params.limit();
    let types = params.take("types", types);
    let after = params.take("after", sequence);
    params.finish()?;
    let company = caller.company;
    let scan = move |tx| async move { event::page(&tx, company, after, types.as_ref(), limit + 1).await };
    let event::Page { log, through, events: mut found } = app.store.scan(scan).await?;
    reachable(after, log, "after")?;
    let full = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| full).map_or(through, |last| last.sequence);
    let more = full || through < log.last;
    let link = more.then(|| next_link(&app, &uri, "after", &next.to_string())).flatten();
    let granted = caller.may(Scope::EmployeesSensitiveRead);
    let data: Vec<_> = found.iter().map(|event| event.envelope(granted)).collect();
    let page = format!(r#"{{"data":[{}],"hasMore":{more},"nextAfter":{next}}}"#, data.join(","));
    Ok(([JSON], AppendHeaders(link.map(|link| (header::LINK, link))), page))
}

/// Events as they happen, as Server-Sent Events: after `Last-Event-ID`, after `after`, or from now on.
#[utoipa::path(
    get,
    path = "/events/stream",
    tag = "Events",
    operation_id = "streamEvents",
    security(("client" = ["events:read"])),
    params(("types", Query), ("after", Query)),
    responses((status = 200, body = ref("EventStream"), content_type = "text/event-stream"), (status = 410))
)]
pub(super) async fn stream(
    State(app): State<App>,
    caller: Caller,
    pass: Pass,
    headers: HeaderMap,
    mut params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::EventsRead)?;
    let types = params.take("types", types);
    let after = params.take("after", sequence);
    // A browser that comes back sends where it was, and the address that it began with.
    let last = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty());
    let last = last.map(|value| sequence(value.to_str().unwrap_or_default()));
    let last = last.transpose().map_err(|fault| params.fault(LAST_EVENT_ID, fault)).ok().flatten();
    params.finish()?;
    let name = if last.is_some() { LAST_EVENT_ID } else { "after" };
    let after = last.or(after);
    let listener = app.feed().listen(pass, types, after, |log| reachable(after, log, name)).await?;
    let pieces = stream::unfold(listener, |mut listener| async move {
        listener.next().await.map(|piece| (Ok::<_, Infallible>(piece), listener))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(pieces)))
}

/// The name under which a client of Server-Sent Events says where it was.
const LAST_EVENT_ID: &str = "Last-Event-ID";

fn sequence(text: &str) -> Result<i64, Fault> {
    match text.parse::<i64>() {
        Ok(sequence @ 0..) => Ok(sequence),
        Ok(_) | Err(_) => Err(Fault::OutOfRange { min: 0, max: i64::MAX }),
    }
}

fn types(text: &str) -> Result<Types, Fault> {
    Types::parse(text).map_err(|near| Fault::UnknownEvent { near: near.to_owned() })
}

/// Refuses a cursor that the log no longer reaches back to, and one that it never gave.
fn reachable(after: Option<i64>, log: Log, name: &str) -> Result<(), Problem> {
    let Log { expired, last } = log;
    match after {
        Some(after) if after < expired => {
            let oldest = expired + 1;
            Err(Problem::from(Code::CursorExpired).telling("oldestSequence", oldest).because(
                format!("El evento más antiguo que se conserva es el {oldest}. Exporte de nuevo los datos y siga desde la secuencia que indica la exportación."),
                format!("The oldest event that is kept is {oldest}. Export the data again and go on from the sequence that the export tells."),
            ))
        }
        Some(after) if after > last => {
            let fault = Fault::OutOfRange { min: 0, max: last };
            Err(Problem::parameters(vec![FieldError { pointer: name.to_owned(), fault }]))
        }
        Some(_) | None => Ok(()),
    }
}
