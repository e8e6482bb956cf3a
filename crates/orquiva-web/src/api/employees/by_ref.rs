//! `/v1/employees/by-ref/{system}/{value}`: an employee by what another system calls it.

use axum::extract::{FromRequestParts, Path, State};
use http::request::Parts;
use orquiva_core::employee::valid_system;
use orquiva_core::{Code, Employee, Fault, FieldError, Scope, field};
use orquiva_people::{self as people, Put, Reference};
use orquiva_store::employee::{self, Filter, Sort};
use serde_json::Value;

use crate::answer::Answer;
use crate::app::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::condition::IfMatch;
use crate::params::Params;
use crate::pick::Pick;
use crate::problem::Problem;
use crate::view::{View, may_write};

/// The reference in the address, with whatever was percent-encoded in it.
pub(in crate::api) struct Named(Reference);

impl<S: Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, &()).await;
        let Path((system, value)) = path.map_err(|_| Code::InvalidRequest)?;
        let mut faults = Vec::new();
        let mut fault = |name: &str, fault| faults.push(FieldError { pointer: name.to_owned(), fault });
        if !valid_system(&system) {
            fault("system", Fault::InvalidKey);
        }
        let value = field::line(255)(&Value::String(value)).map_err(|wrong| fault("value", wrong));
        match value {
            Ok(value) if faults.is_empty() => Ok(Self(Reference { system, value })),
            Ok(_) | Err(()) => Err(Problem::parameters(faults)),
        }
    }
}

/// Creates the employee that has this reference, or changes it by a merge patch (RFC 7396).
#[utoipa::path(
    put,
    path = "/employees/by-ref/{system}/{value}",
    tag = "Employees",
    operation_id = "putEmployeeByReference",
    security(("client" = ["employees:write"])),
    request_body = ref("NewEmployee"),
    responses((status = 200, body = ref("Employee")), (status = 201, body = ref("Employee")))
)]
pub(in crate::api) async fn put(
    State(app): State<App>,
    caller: Caller,
    Named(reference): Named,
    params: Params,
    expected: IfMatch,
    body: Body,
) -> Result<Answer, Problem> {
    may_write(&app, &caller, &body.json).await?;
    params.finish()?;
    let (view, json) = (View::of(&app, &caller).await?, body.json);
    app.write(&caller, body.terms, move |tx, pen| async move {
        let allows = |found: Option<&Employee>| {
            let etag = found.map(Employee::etag);
            expected.holds_for(etag.as_deref())
        };
        Ok(match people::put(&tx, &pen, &reference, &json, allows).await? {
            Put::Created(hired) => Answer::created(
                format!("/v1/employees/{}", hired.id),
                Some(view.etag(&hired)),
                view.one(&hired),
            ),
            Put::Changed(employee) => view.answer(&employee),
        })
    })
    .await
}

/// The employee that has this reference.
#[utoipa::path(
    get,
    path = "/employees/by-ref/{system}/{value}",
    tag = "Employees",
    operation_id = "getEmployeeByReference",
    security(("client" = ["employees:read"])),
    params(("fields", Query), ("expand", Query)),
    responses((status = 200, body = ref("SeenEmployee")))
)]
pub(in crate::api) async fn get(
    State(app): State<App>,
    caller: Caller,
    Named(Reference { system, value }): Named,
    mut params: Params,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesRead)?;
    let pick = Pick::of(&mut params);
    params.finish()?;
    pick.must(&caller)?;
    let tx = app.store.read().await?;
    let filter = Filter { external_ref: Some((system, value)), ..Filter::default() };
    let found = employee::list(&tx, caller.company, &filter, Sort::default(), None, 1).await?;
    let related = pick.related(&tx, caller.company, &found).await?;
    Ok(pick.answer(&View::of(&app, &caller).await?, found.first().ok_or(Code::NotFound)?, &related))
}
