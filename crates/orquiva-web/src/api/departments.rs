//! `/v1/departments`: create, look, list, change, remove.

use axum::extract::{OriginalUri, Path, State};
use orquiva_core::id::DepartmentId;
use orquiva_core::{Department, Fault, NewDepartment, Scope};
use orquiva_people::departments;
use orquiva_store::department::{self, Filter};
use serde_json::json;

use crate::answer::{Answer, to_json};
use crate::app::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::condition::IfMatch;
use crate::list::{Page, Paging};
use crate::params::Params;
use crate::problem::Problem;
use crate::request::known;
use crate::terms::Terms;

/// Creates a department and announces it as `department.created`.
#[utoipa::path(
    post,
    path = "/departments",
    tag = "Departments",
    operation_id = "createDepartment",
    security(("client" = ["departments:write"])),
    request_body = ref("NewDepartment"),
    responses((status = 201, body = ref("Department")))
)]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Result<Answer, Problem> {
    caller.must(Scope::DepartmentsWrite)?;
    params.finish()?;
    let new = NewDepartment::parse(&body.json).map_err(Problem::fields)?;
    app.write(&caller.tells("department.created", ""), body.terms, move |tx, pen| async move {
        let created = departments::create(&tx, &pen, new).await?;
        let place = format!("/v1/departments/{}", created.id);
        Ok(Answer::created(place, Some(created.etag()), to_json(&created)))
    })
    .await
}

/// One department.
#[utoipa::path(
    get,
    path = "/departments/{id}",
    tag = "Departments",
    operation_id = "getDepartment",
    security(("client" = ["departments:read"])),
    responses((status = 200, body = ref("Department")))
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Answer, Problem> {
    caller.must(Scope::DepartmentsRead)?;
    params.finish()?;
    let tx = app.store.read().await?;
    let found = department::get(&tx, caller.company, known(&id)?).await?;
    Ok(Answer::shown(found.etag(), &found))
}

/// The departments of the company, the oldest first.
#[utoipa::path(
    get,
    path = "/departments",
    tag = "Departments",
    operation_id = "listDepartments",
    security(("client" = ["departments:read"])),
    params(("parentId", Query), ("name", Query), ("code", Query)),
    responses((status = 200, body = ref("DepartmentPage")))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<Page, Problem> {
    caller.must(Scope::DepartmentsRead)?;
    let paging = Paging::of(&mut params);
    let filter = Filter {
        parent: params.take("parentId", dep),
        name: params.take("name", |name| Ok(orquiva_core::department::key(name))),
        code: params.take("code", |code| Ok(code.to_owned())),
    };
    params.finish()?;
    let company = caller.company;
    let list = paging.over(&app, &uri, format!("departments {company} {filter:?}"));
    let (after, most) = (list.after()?, list.most());
    let scan = move |tx| async move { department::list(&tx, company, &filter, after, most).await };
    let found = app.store.scan(scan).await?;
    Ok(list.page(found, |department| department.id.to_string(), |department| json!(department)))
}

/// Changes a department by a merge patch (RFC 7396); `If-Match` keeps a stale change out.
#[utoipa::path(
    patch,
    path = "/departments/{id}",
    tag = "Departments",
    operation_id = "changeDepartment",
    security(("client" = ["departments:write"])),
    request_body = ref("DepartmentPatch"),
    responses((status = 200, body = ref("Department")))
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    expected: IfMatch,
    body: Body,
) -> Result<Answer, Problem> {
    caller.must(Scope::DepartmentsWrite)?;
    params.finish()?;
    let (id, patch) = (known(&id)?, body.json);
    app.write(&caller.tells("department.updated", id), body.terms, move |tx, pen| async move {
        let before = department::get(&tx, pen.company, id).await?;
        let changed = departments::change(&tx, &pen, id, &patch, expected.by(Department::etag)).await?;
        Ok(Answer::shown(changed.etag(), &changed).instead_of(&before))
    })
    .await
}

/// Removes a department; with `replaceWith` another one takes its place, its people and what stands under it.
#[utoipa::path(
    delete,
    path = "/departments/{id}",
    tag = "Departments",
    operation_id = "deleteDepartment",
    security(("client" = ["departments:write"])),
    params(("replaceWith", Query)),
    responses((status = 204))
)]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
    expected: IfMatch,
    terms: Terms,
) -> Result<Answer, Problem> {
    caller.must(Scope::DepartmentsWrite)?;
    let replacement = params.take("replaceWith", dep);
    params.finish()?;
    let id = known(&id)?;
    app.write(&caller.tells("department.deleted", id), terms, move |tx, pen| async move {
        let before = department::get(&tx, pen.company, id).await?;
        departments::remove(&tx, &pen, id, replacement, expected.by(Department::etag)).await?;
        Ok(Answer::nothing().instead_of(&before))
    })
    .await
}

fn dep(text: &str) -> Result<DepartmentId, Fault> {
    DepartmentId::parse(text).ok_or(Fault::InvalidId { kind: "dep" })
}
