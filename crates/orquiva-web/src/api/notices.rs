//! `/v1/notices`: what the administrators of a company have to know.

use axum::extract::{OriginalUri, Path, State};
use orquiva_core::Scope;
use orquiva_store::notice;
use serde_json::json;

use crate::answer::{Answer, to_json};
use crate::app::App;
use crate::caller::Caller;
use crate::list::{Page, Paging};
use crate::params::{Params, flag};
use crate::problem::Problem;
use crate::request::known;
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
) -> Result<Page, Problem> {
    caller.must(Scope::WebhooksManage)?;
    let paging = Paging::of(&mut params);
    let unread = params.take("unread", flag);
    params.finish()?;
    let (company, unread) = (caller.company, unread.unwrap_or_default());
    let list = paging.over(&app, &uri, format!("notices {company} {unread}"));
    let (before, most) = (list.after()?, list.most());
    let scan = move |tx| async move { notice::list(&tx, company, unread, before, most).await };
    let found = app.store.scan(scan).await?;
    Ok(list.page(found, |notice| notice.id.to_string(), |notice| json!(notice)))
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
    let id = known(&id)?;
    app.write(&caller, terms, move |tx, pen| async move {
        notice::mark_read(&tx, pen.company, id, pen.now).await?;
        let body = to_json(&notice::get(&tx, pen.company, id).await?);
        Ok(Answer { status: 200, body, ..Answer::default() })
    })
    .await
}
