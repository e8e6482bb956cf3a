//! `/v1/employees`: hire, look, list, change, remove.

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::response::IntoResponse;
use orquiva_core::employee::{Email, Employee, NewEmployee, Status, valid_system};
use orquiva_core::id::{DepartmentId, EmployeeId};
use orquiva_core::{Code, Fault, Scope, department};
use orquiva_people as people;
use orquiva_store::employee::{self, Filter};

use crate::answer::Answer;
use crate::app::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::condition::IfMatch;
use crate::cursor::{Bound, page};
use crate::params::Params;
use crate::problem::Problem;
use crate::terms::Terms;
use crate::view::{View, may_write};

/// Hires someone and announces it as `employee.created`: both are stored, or neither is.
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Result<Answer, Problem> {
    may_write(&caller, &body.json)?;
    params.finish()?;
    let view = View::of(&caller);
    let new = NewEmployee::parse(&body.json, app.clock.now().date()).map_err(Problem::fields)?;
    app.write(&caller, body.terms, move |tx, pen| async move {
        let hired = people::hire(&tx, &pen, new).await?;
        Ok(Answer::created(format!("/v1/employees/{}", hired.id), Some(hired.etag()), view.one(&hired)))
    })
    .await
}

/// One employee.
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesRead)?;
    params.finish()?;
    let tx = app.store.read().await?;
    Ok(View::of(&caller).answer(&employee::get(&tx, caller.company, known(&id)?).await?))
}

/// The employees of the company, in the order in which they were hired here.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::EmployeesRead)?;
    let limit = params.limit();
    let cursor = params.take("cursor", |text| Ok(text.to_owned()));
    let filter = Filter {
        department: params.take("department", |name| Ok(department::key(name))),
        department_id: params
            .take("departmentId", |text| DepartmentId::parse(text).ok_or(Fault::InvalidId { kind: "dep" })),
        status: params.take("status", |text| {
            Status::parse(text).ok_or_else(|| Fault::NotAllowed { choices: Status::ALL.join(", ") })
        }),
        email: params
            .take("email", |text| Email::parse(text).map(|email| email.key()).ok_or(Fault::InvalidEmail)),
        external_ref: params.take("externalRef", |text| match text.split_once(':') {
            Some((system, value)) if valid_system(system) && !value.is_empty() => {
                Ok((system.to_owned(), value.to_owned()))
            }
            Some(_) | None => Err(Fault::WrongType { expected: "system:value" }),
        }),
    };
    params.finish()?;
    let bound = Bound { key: &app.key, to: format!("employees {} {filter:?}", caller.company) };
    let after = cursor.map(|cursor| bound.read(&cursor)).transpose()?;
    let company = caller.company;
    let scan = move |tx| async move { employee::list(&tx, company, &filter, after, limit + 1).await };
    let mut found = app.store.scan(scan).await?;
    let more = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| bound.write(last.id));
    let view = View::of(&caller);
    let data = found.iter().map(|employee| view.each(employee)).collect();
    let (link, Json(mut page)) = page(&app, &uri, data, next);
    view.explain(&mut page);
    Ok((link, Json(page)))
}

/// Changes an employee by a merge patch (RFC 7396); `If-Match` keeps a stale change out.
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    body: Body,
) -> Result<Answer, Problem> {
    may_write(&caller, &body.json)?;
    params.finish()?;
    let view = View::of(&caller);
    let (id, patch) = (known(&id)?, body.json);
    app.write(&caller, body.terms, move |tx, pen| async move {
        let holds = |employee: &Employee| expected.holds(&employee.etag());
        let changed = people::change(&tx, &pen, id, &patch, holds).await?;
        Ok(view.answer(&changed))
    })
    .await
}

/// Removes an employee and announces it as `employee.deleted`.
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
        people::remove(&tx, &pen, id, |employee| expected.holds(&employee.etag())).await?;
        Ok(Answer::nothing())
    })
    .await
}

/// A text that is no employee's id names nobody, like an id that was never given.
fn known(id: &str) -> Result<EmployeeId, Problem> {
    EmployeeId::parse(id).ok_or_else(|| Code::NotFound.into())
}
