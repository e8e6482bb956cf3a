//! `/v1/employees/export`: everyone who is employed at one moment, and from which event to go on.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse};
use http::{HeaderName, header};
use orquiva_core::Scope;
use orquiva_store::employee::{self, Filter, Order, Sort};
use orquiva_store::event;

use crate::app::App;
use crate::caller::Caller;
use crate::lines::{Parts, Patience, stream};
use crate::params::Params;
use crate::problem::Problem;
use crate::view::View;

const KIND: (HeaderName, &str) = (header::CONTENT_TYPE, "application/x-ndjson");

/// Employees that are held in memory at once.
const AT_ONCE: i64 = 200;

/// A snapshot keeps the database from tidying up behind it, so it is not kept for long.
const PATIENCE: Patience = Patience { part: Duration::from_secs(30), whole: Duration::from_secs(3600) };

/// Every employee of one snapshot, one a line. `X-Orq-Sequence` is the last event that had its place in the log in
/// that same snapshot: whatever came later, or was committed and waited for its place, has a greater sequence. So
/// the lines and the events after that number are an exact copy, if an event counts only where its `data.version`
/// is greater than the copy's.
#[utoipa::path(
    get,
    path = "/employees/export",
    tag = "Employees",
    operation_id = "exportEmployees",
    security(("client" = ["employees:read"])),
    responses(
        (status = 200, body = ref("EmployeeLines"), content_type = "application/x-ndjson",
            headers(("X-Orq-Sequence"), ("X-Orq-Redacted"))),
        (status = 409)
    )
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::EmployeesRead)?;
    params.finish()?;
    let company = caller.company;
    let running = app.export(company)?;
    let snapshot = app.store.snapshot().await?;
    let log = snapshot.read(move |tx| async move { event::log(&tx, company).await }).await?;
    let view = View::of(&app, &caller).await?;
    let hidden = view.hidden().map(|fields| (HeaderName::from_static("x-orq-redacted"), fields));
    let lines = stream(PATIENCE, async move |parts: Parts| {
        let _running = running;
        let mut after = None;
        loop {
            let (from, everyone) = (after.take(), Filter::default());
            let next = move |tx| async move {
                employee::list(&tx, company, &everyone, Sort::default(), from.as_ref(), AT_ONCE).await
            };
            let people = snapshot.read(next).await?;
            let Some(last) = people.last() else { return Ok(parts) };
            after = Some(Order::Id.place(last));
            let mut part = String::new();
            for employee in &people {
                part.push_str(&view.line(employee));
                part.push('\n');
            }
            parts.put(part).await?;
        }
    });
    let sequence = (HeaderName::from_static("x-orq-sequence"), log.last.to_string());
    Ok(([KIND], [sequence], AppendHeaders(hidden), Body::new(lines)))
}
