//! `/v1/custom-fields`: the fields that a company adds to its employees.

use axum::extract::{OriginalUri, Path, State};
use orquiva_core::{CustomField, NewCustomField, Scope};
use orquiva_people::custom_fields;
use orquiva_store::{Tx, custom_field};
use serde_json::json;

use crate::answer::{Answer, to_json};
use crate::app::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::condition::IfMatch;
use crate::list::{Page, Paging};
use crate::params::{Params, flag};
use crate::problem::Problem;
use crate::terms::Terms;

/// Adds a field.
#[utoipa::path(
    post,
    path = "/custom-fields",
    tag = "Custom fields",
    operation_id = "createCustomField",
    security(("client" = ["employees:write"])),
    request_body = ref("NewCustomField"),
    responses((status = 201, body = ref("CustomField")))
)]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesWrite)?;
    params.finish()?;
    let new = NewCustomField::parse(&body.json).map_err(Problem::fields)?;
    let caller = caller.tells("custom_field.created", &new.slug);
    app.write(&caller, body.terms, move |tx, pen| async move {
        let created = custom_fields::create(&tx, &pen, new).await?;
        let place = format!("/v1/custom-fields/{}", created.shape.slug);
        Ok(Answer::created(place, Some(created.etag()), to_json(&created)))
    })
    .await
}

/// One field.
#[utoipa::path(
    get,
    path = "/custom-fields/{slug}",
    tag = "Custom fields",
    operation_id = "getCustomField",
    security(("client" = ["employees:read"])),
    responses((status = 200, body = ref("CustomField")))
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(slug): Path<String>,
    params: Params,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesRead)?;
    params.finish()?;
    let tx = app.store.read().await?;
    let found = custom_field::get(&tx, caller.company, &plain(slug)).await?;
    Ok(Answer::shown(found.etag(), &found))
}

/// The fields of the company, by slug.
#[utoipa::path(
    get,
    path = "/custom-fields",
    tag = "Custom fields",
    operation_id = "listCustomFields",
    security(("client" = ["employees:read"])),
    responses((status = 200, body = ref("CustomFieldPage")))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<Page, Problem> {
    caller.must(Scope::EmployeesRead)?;
    let paging = Paging::of(&mut params);
    params.finish()?;
    let company = caller.company;
    let list = paging.over(&app, &uri, format!("custom fields {company}"));
    let (after, most) = (list.place()?.unwrap_or_default(), list.most());
    let scan = move |tx| async move { custom_field::list(&tx, company, &after, most).await };
    let found = app.store.scan(scan).await?;
    Ok(list.page(found, |field| field.shape.slug.clone(), |field| json!(field)))
}

/// Changes a field by a merge patch (RFC 7396); `If-Match` keeps a stale change out.
#[utoipa::path(
    patch,
    path = "/custom-fields/{slug}",
    tag = "Custom fields",
    operation_id = "changeCustomField",
    security(("client" = ["employees:write"])),
    request_body = ref("CustomFieldPatch"),
    responses((status = 200, body = ref("CustomField")))
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(slug): Path<String>,
    params: Params,
    expected: IfMatch,
    body: Body,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesWrite)?;
    params.finish()?;
    let (slug, patch, owner) = (plain(slug), body.json, caller.clone());
    let caller = caller.tells("custom_field.updated", &slug);
    app.write(&caller, body.terms, move |tx, pen| async move {
        let before = may_touch(&tx, &owner, &slug).await?;
        let changed = custom_fields::change(&tx, &pen, &slug, &patch, expected.by(CustomField::etag)).await?;
        Ok(Answer::shown(changed.etag(), &changed).instead_of(&before))
    })
    .await
}

/// Removes a field; with `force` the values that people have of it too.
#[utoipa::path(
    delete,
    path = "/custom-fields/{slug}",
    tag = "Custom fields",
    operation_id = "deleteCustomField",
    security(("client" = ["employees:write"])),
    params(("force", Query)),
    responses((status = 204))
)]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(slug): Path<String>,
    mut params: Params,
    expected: IfMatch,
    terms: Terms,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesWrite)?;
    let force = params.take("force", flag);
    params.finish()?;
    let (slug, owner) = (plain(slug), caller.clone());
    let caller = caller.tells("custom_field.deleted", &slug);
    app.write(&caller, terms, move |tx, pen| async move {
        let before = may_touch(&tx, &owner, &slug).await?;
        custom_fields::remove(&tx, &pen, &slug, force.unwrap_or_default(), expected.by(CustomField::etag))
            .await?;
        Ok(Answer::nothing().instead_of(&before))
    })
    .await
}

/// Refuses who may not both see and write what is sensitive a change of a field that is, and its removal: they could
/// show its values, tell which there are, or take them away.
async fn may_touch(tx: &Tx, caller: &Caller, slug: &str) -> Result<CustomField, Problem> {
    let field = custom_field::hold(tx, caller.company, slug).await?;
    if field.shape.sensitive {
        caller.must(Scope::EmployeesSensitiveRead)?;
        caller.must(Scope::EmployeesSensitiveWrite)?;
    }
    Ok(field)
}

/// A slug as a database can look for it: a text with a NUL names no field.
fn plain(slug: String) -> String {
    slug.replace('\0', "")
}
