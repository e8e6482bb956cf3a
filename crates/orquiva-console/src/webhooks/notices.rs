//! What administrators have to know of their endpoints, until somebody took note of it.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::{Right, Timestamp};
use orquiva_web::Refused;
use serde_json::Value;

use super::endpoint::moment;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::next::escaped;
use crate::stop::Stop;

/// Notices that are shown at once.
const MOST: usize = 5;

/// A notice.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) id: String,
    pub(crate) webhook: String,
    /// What the endpoint is called.
    pub(crate) name: String,
    /// Whether it is the end, and no warning.
    pub(crate) is_end: bool,
    pub(crate) failing_since: Option<Timestamp>,
    pub(crate) reason: String,
    pub(crate) waiting: i64,
    pub(crate) at: Option<Timestamp>,
}

impl Notice {
    fn of(notice: &Value) -> Self {
        let own = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let data = &notice["data"];
        let name = match data["description"].as_str() {
            Some(description) if !description.is_empty() => description.to_owned(),
            Some(_) | None => own(&data["url"]),
        };
        Self {
            id: own(&notice["id"]),
            webhook: own(&notice["webhookId"]),
            name,
            is_end: notice["kind"] == "webhook_endpoint.disabled",
            failing_since: moment(&data["failingSince"]),
            reason: own(&data["disabledReason"]),
            waiting: data["waiting"].as_i64().unwrap_or_default(),
            at: moment(&notice["createdAt"]),
        }
    }
}

/// The notices that nobody took note of.
pub(crate) async fn unread(console: &Console, member: &Member) -> Result<Vec<Notice>, Refused> {
    let path = format!("/notices?unread=true&limit={MOST}");
    let found = console.inside.read(member.reads(), &path).await?.body;
    Ok(found["data"].as_array().into_iter().flatten().map(Notice::of).collect())
}

/// Takes note of one.
pub(crate) async fn read(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    _form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let who = member.does(Act::new("notice.read", &id));
    console.inside.write(who, Method::POST, &format!("/notices/{}/read", escaped(&id)), &[], None).await?;
    Ok(Redirect::to("/admin/webhooks?said=notice-read").into_response())
}
