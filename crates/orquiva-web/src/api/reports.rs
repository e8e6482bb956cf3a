//! `/v1/employees/{id}/reports`: who reports to someone.

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use orquiva_core::{Fault, Scope};
use orquiva_store::employee;

use crate::app::App;
use crate::caller::Caller;
use crate::list::{Page, Paging};
use crate::params::Params;
use crate::problem::Problem;
use crate::request::known;
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
) -> Result<Page, Problem> {
    caller.must(Scope::EmployeesRead)?;
    let paging = Paging::of(&mut params);
    let all = params.take("depth", |text| match text {
        "direct" => Ok(false),
        "all" => Ok(true),
        _ => Err(Fault::NotAllowed { choices: "direct, all".to_owned() }),
    });
    params.finish()?;
    let (company, of) = (caller.company, known(&id)?);
    let whom = (of, all.unwrap_or(false));
    let list = paging.over(&app, &uri, format!("reports {company} {whom:?}"));
    let (after, most) = (list.after()?, list.most());
    let scan = move |tx| async move {
        employee::get(&tx, company, of).await?;
        employee::list_reports(&tx, company, whom, after, most).await
    };
    let found = app.store.scan(scan).await?;
    let view = View::of(&app, &caller).await?;
    let (link, Json(mut page)) =
        list.page(found, |employee| employee.id.to_string(), |employee| view.each(employee));
    view.explain(&mut page);
    Ok((link, Json(page)))
}
