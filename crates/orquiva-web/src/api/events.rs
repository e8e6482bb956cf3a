//! `/v1/events`: the company's log, in the order of its `sequence`.

use axum::extract::{OriginalUri, Path, State};
use axum::response::{AppendHeaders, IntoResponse};
use http::header;
use orquiva_core::id::EventId;
use orquiva_core::{Code, Fault, Scope};
use orquiva_store::event::{self, Event};

use crate::app::App;
use crate::caller::Caller;
use crate::cursor::next_link;
use crate::params::Params;
use crate::problem::Problem;

const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

/// One event, byte for byte as webhooks carry it.
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::EventsRead)?;
    params.finish()?;
    let id = EventId::parse(&id).ok_or(Code::NotFound)?;
    let tx = app.store.read().await?;
    Ok(([JSON], event::get(&tx, caller.company, id).await?.envelope()))
}

/// The events after `after`, in order and without gaps. `nextAfter` is where to go on, also when nothing came.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::EventsRead)?;
    let limit = params.limit();
    let after = params.take("after", |text| match text.parse::<i64>() {
        Ok(after @ 0..) => Ok(after),
        Ok(_) | Err(_) => Err(Fault::OutOfRange { min: 0, max: i64::MAX }),
    });
    params.finish()?;
    let (company, after) = (caller.company, after.unwrap_or(0));
    let scan = move |tx| async move { event::list(&tx, company, after, limit + 1).await };
    let mut found = app.store.scan(scan).await?;
    let more = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next = found.last().map_or(after, |last| last.sequence);
    let link = more.then(|| next_link(&app, &uri, "after", &next.to_string())).flatten();
    let data: Vec<_> = found.iter().map(Event::envelope).collect();
    let page = format!(r#"{{"data":[{}],"hasMore":{more},"nextAfter":{next}}}"#, data.join(","));
    Ok(([JSON], AppendHeaders(link.map(|link| (header::LINK, link))), page))
}
