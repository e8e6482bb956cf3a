//! `/v1/employees`: hire, look, list, change, remove.

pub(super) mod by_ref;
mod list;

use axum::extract::{Path, State};
use orquiva_core::Scope;
use orquiva_core::employee::{Employee, NewEmployee};
use orquiva_people as people;
use orquiva_store::employee;

use crate::answer::Answer;
use crate::app::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::condition::IfMatch;
use crate::params::Params;
use crate::pick::Pick;
use crate::problem::Problem;
use crate::request::known;
use crate::terms::Terms;
use crate::view::{View, may_write};

pub(crate) use list::SORTS;
pub(super) use list::{__path_list, list};

/// Hires someone and announces it as `employee.created`: both are stored, or neither is.
#[utoipa::path(
    post,
    path = "/employees",
    tag = "Employees",
    operation_id = "createEmployee",
    security(("client" = ["employees:write"])),
    request_body = ref("NewEmployee"),
    responses((status = 201, body = ref("Employee")))
)]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Result<Answer, Problem> {
    may_write(&app, &caller, &body.json).await?;
    params.finish()?;
    let view = View::of(&app, &caller).await?;
    let new = NewEmployee::parse(&body.json, app.clock.now().date()).map_err(Problem::fields)?;
    app.add(&caller, body.terms, move |tx, pen| async move {
        let hired = people::hire(&tx, &pen, new).await?;
        Ok(Answer::created(format!("/v1/employees/{}", hired.id), Some(view.etag(&hired)), view.one(&hired)))
    })
    .await
}

/// One employee.
#[utoipa::path(
    get,
    path = "/employees/{id}",
    tag = "Employees",
    operation_id = "getEmployee",
    security(("client" = ["employees:read"])),
    params(("fields", Query), ("expand", Query)),
    responses((status = 200, body = ref("SeenEmployee")))
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesRead)?;
    let pick = Pick::of(&mut params);
    params.finish()?;
    pick.must(&caller)?;
    let tx = app.store.read().await?;
    let found = employee::get(&tx, caller.company, known(&id)?).await?;
    let related = pick.related(&tx, caller.company, std::slice::from_ref(&found)).await?;
    Ok(pick.answer(&View::of(&app, &caller).await?, &found, &related))
}

/// Changes an employee by a merge patch (RFC 7396); `If-Match` keeps a stale change out.
#[utoipa::path(
    patch,
    path = "/employees/{id}",
    tag = "Employees",
    operation_id = "changeEmployee",
    security(("client" = ["employees:write"])),
    request_body = ref("EmployeePatch"),
    responses((status = 200, body = ref("Employee")))
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    body: Body,
) -> Result<Answer, Problem> {
    may_write(&app, &caller, &body.json).await?;
    params.finish()?;
    let view = View::of(&app, &caller).await?;
    let (id, patch) = (known(&id)?, body.json);
    app.write(&caller, body.terms, move |tx, pen| async move {
        let changed = people::change(&tx, &pen, id, &patch, expected.by(Employee::etag)).await?;
        Ok(view.answer(&changed))
    })
    .await
}

/// Removes an employee and announces it as `employee.deleted`.
#[utoipa::path(
    delete,
    path = "/employees/{id}",
    tag = "Employees",
    operation_id = "deleteEmployee",
    security(("client" = ["employees:write"])),
    responses((status = 204))
)]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    terms: Terms,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesWrite)?;
    params.finish()?;
    let id = known(&id)?;
    app.write(&caller, terms, move |tx, pen| async move {
        people::remove(&tx, &pen, id, expected.by(Employee::etag)).await?;
        Ok(Answer::nothing())
    })
    .await
}
