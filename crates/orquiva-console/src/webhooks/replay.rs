//! Events of the log again: counted first, then sent while one looks.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::{Right, Timestamp};
use serde_json::{Value, json};

use super::endpoint::{Endpoint, find, moment};
use super::terms::faults_of;
use crate::console::Console;
use crate::form::Form;
use crate::guest::random;
use crate::kinds;
use crate::member::{Act, Member};
use crate::next::escaped;
use crate::page::{Here, Page, html, refused};
use crate::show::{Faults, local, utc};
use crate::stop::Stop;

/// Replays of the endpoint that are listed.
const MOST: usize = 10;

/// A replay and how far it has come.
#[derive(Clone, Debug)]
struct Progress(Value);

impl Progress {
    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    fn count(&self, name: &str) -> i64 {
        self.0[name].as_i64().unwrap_or_default()
    }

    fn moment(&self, name: &str) -> Option<Timestamp> {
        moment(&self.0[name])
    }

    /// Whether all of it was counted beforehand.
    fn is_exact(&self) -> bool {
        self.0["totalIsExact"].as_bool().unwrap_or(true)
    }

    fn is_running(&self) -> bool {
        self.text("status") == "running"
    }

    /// What came to an end, of all that is meant.
    fn done(&self) -> i64 {
        self.count("delivered") + self.count("failed") + self.count("cancelled")
    }

    fn types(&self) -> Vec<&str> {
        self.0["types"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The class and the name of its state.
    fn state(&self, page: &Page) -> (&'static str, &'static str) {
        let t = |es, en| page.language().pick(es, en);
        match self.text("status") {
            "cancelled" if self.text("reason").is_empty() => ("off", t("Cancelada", "Cancelled")),
            "cancelled" => ("bad", t("Interrumpida", "Ended early")),
            _ if self.is_running() => ("warn", t("En curso", "Running")),
            _ => ("good", t("Terminada", "Done")),
        }
    }
}

/// What is asked for, right or wrong.
#[derive(Clone, Debug, Default)]
struct Draft {
    from: String,
    to: String,
    types: Vec<String>,
    state: String,
    rate: String,
}

impl Draft {
    fn read(form: &Form) -> Self {
        let own = |name: &str| form.text(name).to_owned();
        Self {
            from: own("from"),
            to: own("to"),
            types: form.all("types").map(str::to_owned).collect(),
            state: own("state"),
            rate: own("ratePerSecond"),
        }
    }

    fn has(&self, kind: &str) -> bool {
        self.types.iter().any(|ticked| ticked == kind)
    }

    /// What the API is told. A moment that is none is told as it was typed: the API says so.
    fn told(&self) -> Value {
        let moment = |text: &str| utc(text).map_or_else(|| json!(text), |at| json!(at));
        let mut told = json!({ "state": self.state });
        if !self.from.is_empty() {
            told["from"] = moment(&self.from);
        }
        if !self.to.is_empty() {
            told["to"] = moment(&self.to);
        }
        if !self.types.is_empty() {
            told["types"] = json!(self.types);
        }
        if !self.rate.is_empty() {
            told["ratePerSecond"] =
                self.rate.parse::<i64>().map_or_else(|_| json!(self.rate), |rate| json!(rate));
        }
        told
    }
}

#[derive(Template)]
#[template(path = "webhooks/replay.html")]
struct ReplayPage {
    page: Page,
    endpoint: Endpoint,
    draft: Draft,
    faults: Faults,
    /// How many events it would be, once they were counted, and whether to the end.
    counted: Option<(i64, bool)>,
    key: String,
    former: Vec<Progress>,
}

impl ReplayPage {
    async fn of(
        console: &Console,
        member: &Member,
        endpoint: Endpoint,
        draft: Draft,
        faults: Faults,
    ) -> Result<Self, Stop> {
        let path = format!("/replays?webhookId={}&limit={MOST}", endpoint.id());
        let former = console.inside.read(member.reads(), &path).await?.body;
        Ok(Self {
            page: Page::of(member, Some(Here::Webhooks), ("Repetir eventos", "Replay events")),
            former: former["data"].as_array().into_iter().flatten().cloned().map(Progress).collect(),
            key: random(console.chance.as_ref()),
            counted: None,
            endpoint,
            draft,
            faults,
        })
    }

    fn kinds(&self) -> impl Iterator<Item = &'static str> {
        kinds::groups().into_iter().flat_map(|(_, kinds)| kinds)
    }
}

/// The form.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let (endpoint, _) = find(&console, &member, &id).await?;
    let from = local(console.clock.now().plus(-86_400_000));
    let draft = Draft { from, state: "missed".to_owned(), ..Draft::default() };
    Ok(html(&ReplayPage::of(&console, &member, endpoint, draft, Faults::default()).await?))
}

/// Counts what it would be; when that has been seen, begins.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let (endpoint, _) = find(&console, &member, &id).await?;
    let mut draft = Draft::read(&form);
    let begins = form.has("begin");
    if !begins && draft.to.is_empty() {
        // What is counted is what is sent, however much happens before the button is pressed.
        let mut now = console.clock.now().plus(1_000).to_string();
        now.truncate(19);
        draft.to = now;
    }
    let path = format!("/webhooks/{}/replay{}", endpoint.id(), if begins { "" } else { "?dryRun=true" });
    let who = match begins {
        true => member.does(Act::creating("replay.started")),
        false => member.reads(),
    };
    let keyed = [("idempotency-key", if begins { form.text("key") } else { "" })];
    match console.inside.write(who, Method::POST, &path, &keyed, Some(&draft.told())).await {
        Ok(reply) if begins => {
            let replay = reply.body["id"].as_str().unwrap_or_default();
            Ok(Redirect::to(&format!("/admin/webhooks/{id}/replays/{replay}")).into_response())
        }
        Ok(reply) => {
            let counted = Progress(reply.body);
            let page = ReplayPage::of(&console, &member, endpoint, draft, Faults::default()).await?;
            Ok(html(&ReplayPage { counted: Some((counted.count("total"), counted.is_exact())), ..page }))
        }
        Err(error) if error.status() == 404 => Err(error.into()),
        Err(error) => {
            let faults = faults_of(&error, member.guest.language);
            Ok(refused(&ReplayPage::of(&console, &member, endpoint, draft, faults).await?))
        }
    }
}

#[derive(Template)]
#[template(path = "webhooks/progress.html")]
struct ProgressPage {
    page: Page,
    endpoint: Endpoint,
    replay: Progress,
    may: bool,
}

/// A replay of this endpoint.
async fn read(console: &Console, member: &Member, webhook: &str, id: &str) -> Result<Progress, Stop> {
    let found = console.inside.read(member.reads(), &format!("/replays/{}", escaped(id))).await?.body;
    match found["webhookId"] == webhook {
        true => Ok(Progress(found)),
        false => Err(Stop::NotFound),
    }
}

/// How far a replay has come.
pub(crate) async fn progress(
    State(console): State<Console>,
    member: Member,
    Path((webhook, id)): Path<(String, String)>,
) -> Result<Response, Stop> {
    let replay = read(&console, &member, &webhook, &id).await?;
    let (endpoint, _) = find(&console, &member, &webhook).await?;
    Ok(html(&ProgressPage {
        page: Page::of(&member, Some(Here::Webhooks), ("Repetición", "Replay")),
        may: member.may(Right::ManageWebhooks) && replay.is_running(),
        endpoint,
        replay,
    }))
}

/// Ends a replay.
pub(crate) async fn cancel(
    State(console): State<Console>,
    member: Member,
    Path((webhook, id)): Path<(String, String)>,
    _form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let before = read(&console, &member, &webhook, &id).await?;
    let who = member.does(Act::new("replay.cancelled", &id).from(before.0));
    console.inside.write(who, Method::POST, &format!("/replays/{}/cancel", escaped(&id)), &[], None).await?;
    Ok(Redirect::to(&format!("/admin/webhooks/{webhook}/replays/{id}?said=replay-cancelled")).into_response())
}
