//! `/v1/employees/{id}/terminate` and `/rehire`: the end of an employment and its return, now or on a day to come.

use axum::extract::{Path, State};
use orquiva_core::Scope;
use orquiva_core::employee::{Employee, Termination};
use orquiva_people as people;

use crate::answer::Answer;
use crate::app::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::condition::IfMatch;
use crate::params::Params;
use crate::problem::Problem;
use crate::request::known;
use crate::terms::Terms;
use crate::view::{View, may_write};

/// Ends an employment, on this day or a later one.
#[utoipa::path(
    post,
    path = "/employees/{id}/terminate",
    tag = "Employees",
    operation_id = "terminateEmployee",
    security(("client" = ["employees:write"])),
    request_body = ref("Termination"),
    responses((status = 200, body = ref("Employee")))
)]
pub(super) async fn terminate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    body: Body,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesWrite)?;
    params.finish()?;
    let (id, view) = (known(&id)?, View::of(&app, &caller).await?);
    let end = Termination::parse(&body.json, app.clock.now().date()).map_err(Problem::fields)?;
    app.write(&caller, body.terms, move |tx, pen| async move {
        Ok(view.answer(&people::terminate(&tx, &pen, id, end, expected.by(Employee::etag)).await?))
    })
    .await
}

/// Cancels an end that lies ahead.
#[utoipa::path(
    delete,
    path = "/employees/{id}/terminate",
    tag = "Employees",
    operation_id = "cancelTermination",
    security(("client" = ["employees:write"])),
    responses((status = 200, body = ref("Employee")))
)]
pub(super) async fn cancel_termination(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    terms: Terms,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesWrite)?;
    params.finish()?;
    let (id, view) = (known(&id)?, View::of(&app, &caller).await?);
    app.write(&caller, terms, move |tx, pen| async move {
        Ok(view.answer(&people::cancel_termination(&tx, &pen, id, expected.by(Employee::etag)).await?))
    })
    .await
}

/// Takes someone on again who had left, on this day or a later one.
#[utoipa::path(
    post,
    path = "/employees/{id}/rehire",
    tag = "Employees",
    operation_id = "rehireEmployee",
    security(("client" = ["employees:write"])),
    request_body = ref("Rehire"),
    responses((status = 200, body = ref("Employee")))
)]
pub(super) async fn rehire(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    body: Body,
) -> Result<Answer, Problem> {
    may_write(&app, &caller, &body.json).await?;
    params.finish()?;
    let (id, view, wish) = (known(&id)?, View::of(&app, &caller).await?, body.json);
    app.write(&caller, body.terms, move |tx, pen| async move {
        Ok(view.answer(&people::rehire(&tx, &pen, id, &wish, expected.by(Employee::etag)).await?))
    })
    .await
}

/// Cancels a return that lies ahead.
#[utoipa::path(
    delete,
    path = "/employees/{id}/rehire",
    tag = "Employees",
    operation_id = "cancelRehire",
    security(("client" = ["employees:write"])),
    responses((status = 200, body = ref("Employee")))
)]
pub(super) async fn cancel_rehire(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    terms: Terms,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesWrite)?;
    params.finish()?;
    let (id, view) = (known(&id)?, View::of(&app, &caller).await?);
    app.write(&caller, terms, move |tx, pen| async move {
        Ok(view.answer(&people::cancel_rehire(&tx, &pen, id, expected.by(Employee::etag)).await?))
    })
    .await
}
