//! `/v1/employees/{id}/reports`: who reports to someone.

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::response::IntoResponse;
use orquiva_core::id::EmployeeId;
use orquiva_core::{Code, Fault, Scope};
use orquiva_store::employee;

use crate::app::App;
use crate::caller::Caller;
use crate::cursor::{Bound, page};
use crate::params::Params;
use crate::problem::Problem;
use crate::view::View;

/// Who reports to someone directly, or with `depth=all` through others too, in the order in which they were hired.
#[utoipa::path(
    get,
    path = "/employees/{id}/reports",
    tag = "Employees",
    operation_id = "listReports",
    security(("client" = ["employees:read"])),
    params(("depth", Query)),
    responses((status = 200, body = ref("EmployeePage")))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::EmployeesRead)?;
    let limit = params.limit();
    let cursor = params.take("cursor", |text| Ok(text.to_owned()));
    let all = params.take("depth", |text| match text {
        "direct" => Ok(false),
        "all" => Ok(true),
        _ => Err(Fault::NotAllowed { choices: "direct, all".to_owned() }),
    });
    params.finish()?;
    let (company, of) = (caller.company, EmployeeId::parse(&id).ok_or(Code::NotFound)?);
    let whom = (of, all.unwrap_or(false));
    let bound = Bound { key: &app.key, to: format!("reports {company} {whom:?}") };
    let after = cursor.map(|cursor| bound.read(&cursor)).transpose()?;
    let scan = move |tx| async move {
        employee::get(&tx, company, of).await?;
        employee::list_reports(&tx, company, whom, after, limit + 1).await
    };
    let mut found = app.store.scan(scan).await?;
    let more = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| bound.write(last.id));
    let view = View::of(&app, &caller).await?;
    let data = found.iter().map(|employee| view.each(employee)).collect();
    let (link, Json(mut page)) = page(&app, &uri, data, next);
    view.explain(&mut page);
    Ok((link, Json(page)))
}
