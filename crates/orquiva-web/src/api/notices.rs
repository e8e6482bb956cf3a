//! `/v1/notices`: what the administrators of a company have to know.

use axum::extract::{OriginalUri, Path, State};
use axum::response::IntoResponse;
use orquiva_core::id::NoticeId;
use orquiva_core::{Code, Fault, Scope};
use orquiva_store::notice;
use serde_json::json;

use crate::answer::{Answer, to_json};
use crate::app::App;
use crate::caller::Caller;
use crate::cursor::{Bound, page};
use crate::params::Params;
use crate::problem::Problem;
use crate::terms::Terms;

/// The notices of the company, the newest first; with `unread=true` only those that nobody took note of.
#[utoipa::path(
    get,
    path = "/notices",
    tag = "Notices",
    operation_id = "listNotices",
    security(("client" = ["webhooks:manage"])),
    params(("unread", Query)),
    responses((status = 200, body = ref("NoticePage")))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::WebhooksManage)?;
    let limit = params.limit();
    let cursor = params.take("cursor", |text| Ok(text.to_owned()));
    let unread = params.take("unread", |text| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::NotAllowed { choices: "true, false".to_owned() }),
    });
    params.finish()?;
    let (company, unread) = (caller.company, unread.unwrap_or_default());
    let bound = Bound { key: &app.key, to: format!("notices {company} {unread}") };
    let before = cursor.map(|cursor| bound.read(&cursor)).transpose()?;
    let scan = move |tx| async move { notice::list(&tx, company, unread, before, limit + 1).await };
    let mut found = app.store.scan(scan).await?;
    let more = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| bound.write(last.id));
    Ok(page(&app, &uri, found.iter().map(|notice| json!(notice)).collect(), next))
}

/// Takes note of a notice; the first time counts.
#[utoipa::path(
    post,
    path = "/notices/{id}/read",
    tag = "Notices",
    operation_id = "readNotice",
    security(("client" = ["webhooks:manage"])),
    responses((status = 200, body = ref("Notice")))
)]
pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    terms: Terms,
) -> Result<Answer, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let id = NoticeId::parse(&id).ok_or(Code::NotFound)?;
    app.write(&caller, terms, move |tx, pen| async move {
        notice::mark_read(&tx, pen.company, id, pen.now).await?;
        let body = to_json(&notice::get(&tx, pen.company, id).await?);
        Ok(Answer { status: 200, body, ..Answer::default() })
    })
    .await
}
