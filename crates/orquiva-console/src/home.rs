//! The first page: how the company stands, and what to do next.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use orquiva_core::Right;
use orquiva_store::audit::Entry;
use orquiva_store::client::{self, Client};

use crate::audit;
use crate::console::Console;
use crate::member::Member;
use crate::page::{Here, Page, html};
use crate::show::number;
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    page: Page,
    name: String,
    people: String,
    clients: usize,
    webhooks: usize,
    per_minute: String,
    plan: &'static str,
    /// Whether the first steps are theirs to do.
    may_begin: bool,
    /// Of the three first steps, those that are done.
    has_client: bool,
    has_token: bool,
    has_person: bool,
    base: String,
    recent: Vec<Entry>,
}

/// The page.
pub(crate) async fn show(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    let page = Page::of(&member, Some(Here::Home), ("Inicio", "Home"));
    let language = page.language();
    let employees = console.inside.read(member.reads(), "/employees?limit=200&fields=id").await?;
    let some = employees.body["data"].as_array().map_or(0, Vec::len);
    let more = employees.body["hasMore"].as_bool().unwrap_or(false);
    let webhooks = console.inside.read(member.reads(), "/webhooks?limit=200").await?;
    let tx = console.store.read().await?;
    let clients = client::list(&tx, member.company.id).await?;
    let live = |client: &&Client| client.revoked_at.is_none();
    let recent = audit::recent(&console, &member, 6).await?;
    Ok(html(&HomePage {
        name: member.user.name.split_whitespace().next().unwrap_or_default().to_owned(),
        people: if more { format!("{some}+") } else { number(i64::try_from(some).unwrap_or(0), language) },
        clients: clients.iter().filter(live).count(),
        webhooks: webhooks.body["data"].as_array().map_or(0, Vec::len),
        per_minute: number(member.company.plan.per_minute().into(), language),
        plan: plan_name(member.company.plan.as_str()),
        may_begin: member.may(Right::ManageClients),
        has_client: clients.iter().any(|client| client.revoked_at.is_none()),
        has_token: clients.iter().any(|client| client.last_used_at.is_some()),
        has_person: some > 0,
        base: console.public_url.clone(),
        recent,
        page,
    }))
}

fn plan_name(plan: &str) -> &'static str {
    match plan {
        "pro" => "Pro",
        "enterprise" => "Enterprise",
        _ => "Free",
    }
}
