//! `/admin/webhooks`: where events go, and how it goes there.

pub(crate) mod change;
pub(crate) mod check;
pub(crate) mod create;
pub(crate) mod delivery;
pub(crate) mod detail;
pub(crate) mod endpoint;
pub(crate) mod filter;
pub(crate) mod notices;
mod receiver;
pub(crate) mod replay;
pub(crate) mod rotate;
mod terms;
pub(crate) mod trial;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use orquiva_core::Right;
use tokio::task::JoinSet;

use self::endpoint::{Endpoint, Pulse, pulse};
use self::notices::Notice;
use crate::console::Console;
use crate::member::Member;
use crate::next::escaped;
use crate::page::{Here, Page, html};
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Endpoints on one page of the list.
const MOST: usize = 20;

#[derive(Template)]
#[template(path = "webhooks/list.html")]
struct ListPage {
    page: Page,
    endpoints: Vec<(Endpoint, Pulse)>,
    notices: Vec<Notice>,
    /// Where the list goes on.
    next: Option<String>,
    is_first: bool,
    may: bool,
}

/// The endpoints, the oldest first, each with how it is doing.
pub(crate) async fn list(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let cursor = asked.get("cursor").map(String::as_str).unwrap_or_default();
    let mut path = format!("/webhooks?limit={MOST}");
    if !cursor.is_empty() {
        path = format!("{path}&cursor={}", escaped(cursor));
    }
    let list = console.inside.read(member.reads(), &path).await?.body;
    let next = list["nextCursor"].as_str().map(escaped);
    let found: Vec<_> = list["data"].as_array().into_iter().flatten().cloned().map(Endpoint).collect();
    let mut pulses = JoinSet::new();
    for (at, endpoint) in found.iter().enumerate() {
        let (console, who, id) = (console.clone(), member.reads(), endpoint.id().to_owned());
        pulses.spawn(async move { (at, pulse(&console, who, &id).await) });
    }
    let mut found: Vec<_> = found.into_iter().map(|endpoint| (endpoint, None)).collect();
    while let Some(Ok((at, pulse))) = pulses.join_next().await {
        found[at].1 = pulse.ok(); // one that was removed meanwhile is left out
    }
    let endpoints = found.into_iter().filter_map(|(endpoint, pulse)| Some((endpoint, pulse?))).collect();
    let notices = notices::unread(&console, &member).await?;
    Ok(html(&ListPage {
        page: Page::of(&member, Some(Here::Webhooks), ("Webhooks", "Webhooks")),
        endpoints,
        notices,
        next,
        is_first: cursor.is_empty(),
        may: member.may(Right::ManageWebhooks),
    }))
}
