//! A test: an event for one endpoint alone, and what becomes of it while one looks.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::{Right, Timestamp};
use serde_json::Value;

use super::endpoint::{find, moment, state_of};
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::next::escaped;
use crate::page::{Here, Page, html};
use crate::stop::Stop;

/// A test that was sent, as far as it has come.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) webhook: String,
    pub(crate) delivery: String,
    /// The state of the delivery; `waiting` while it is not even made.
    pub(crate) state: &'static str,
    pub(crate) attempts: Vec<Try>,
    /// When it is tried again.
    pub(crate) next: Option<Timestamp>,
}

/// One attempt in short.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    pub(crate) number: i64,
    pub(crate) at: Option<Timestamp>,
    pub(crate) millis: i64,
    /// The status of the answer; 0 if there was none.
    pub(crate) status: i64,
    /// Why there was none: a word for programs, and what was said of it; both are empty if there was one.
    pub(crate) error: String,
    pub(crate) why: String,
}

impl Try {
    /// Of an attempt as the API shows it.
    pub(crate) fn of(attempt: &Value) -> Self {
        let text = |name: &str| attempt[name].as_str().unwrap_or_default().to_owned();
        Self {
            number: attempt["number"].as_i64().unwrap_or_default(),
            at: moment(&attempt["startedAt"]),
            millis: attempt["durationMs"].as_i64().unwrap_or_default(),
            status: attempt["status"].as_i64().unwrap_or_default(),
            error: text("error"),
            why: text("errorDetail"),
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Trial {
    /// One that was just asked for.
    fn new(webhook: &str, delivery: &str) -> Self {
        let own = str::to_owned;
        Self {
            webhook: own(webhook),
            delivery: own(delivery),
            state: "waiting",
            attempts: Vec::new(),
            next: None,
        }
    }

    /// Whether it may still change.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, "waiting" | "retrying")
    }
}

/// Sends a test to an endpoint.
pub(crate) async fn send(console: &Console, member: &Member, id: &str, key: &str) -> Result<Trial, Stop> {
    let who = member.does(Act::new("webhook.tested", id));
    let path = format!("/webhooks/{}/test", escaped(id));
    let sent = console.inside.write(who, Method::POST, &path, &[("idempotency-key", key)], None).await?;
    Ok(Trial::new(id, sent.body["deliveryId"].as_str().unwrap_or_default()))
}

#[derive(Template)]
#[template(path = "webhooks/trial.html")]
struct TrialPage {
    page: Page,
    name: String,
    trial: Trial,
    key: String,
    may: bool,
}

/// Sends one, and shows it.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let trial = send(&console, &member, &id, form.text("key")).await?;
    Ok(Redirect::to(&format!("/admin/webhooks/{id}/trial/{}", trial.delivery)).into_response())
}

/// How far a test has come.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<Response, Stop> {
    let (endpoint, _) = find(&console, &member, &id).await?;
    let mut trial = Trial::new(endpoint.id(), &delivery);
    match console.inside.read(member.reads(), &format!("/deliveries/{}", escaped(&delivery))).await {
        Ok(reply) if reply.body["webhookId"] != endpoint.id() => return Err(Stop::NotFound),
        Ok(reply) => {
            trial.state = state_of(&reply.body);
            trial.attempts = reply.body["attempts"].as_array().into_iter().flatten().map(Try::of).collect();
            trial.next = moment(&reply.body["nextAttemptAt"]);
        }
        // It is made a moment after it was asked for.
        Err(refused) if refused.status() == 404 && is_known(&delivery) => {}
        Err(refused) => return Err(refused.into()),
    }
    Ok(html(&TrialPage {
        page: Page::of(&member, Some(Here::Webhooks), ("Prueba", "Test")),
        name: endpoint.name().to_owned(),
        trial,
        key: crate::guest::random(console.chance.as_ref()),
        may: member.may(Right::ManageWebhooks) && !endpoint.is("disabled"),
    }))
}

fn is_known(delivery: &str) -> bool {
    orquiva_core::id::DeliveryId::parse(delivery).is_some()
}
