//! An endpoint as the pages show it, and how it is doing.

use orquiva_core::{Language, Timestamp};
use orquiva_web::{Insider, Refused};
use serde_json::Value;

use crate::console::Console;
use crate::member::Member;
use crate::next::escaped;

/// Deliveries by which it is told how an endpoint is doing.
const MOST: usize = 20;

/// An endpoint as the API shows it.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint(pub(crate) Value);

impl Endpoint {
    /// A text of it; empty if it has none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> &str {
        self.text("id")
    }

    pub(crate) fn url(&self) -> &str {
        self.text("url")
    }

    /// What it is called: what it is for, or where it is.
    pub(crate) fn name(&self) -> &str {
        match self.text("description") {
            "" => self.url().split_once("://").map_or(self.url(), |(_, rest)| rest),
            description => description,
        }
    }

    /// What it is subscribed to.
    pub(crate) fn events(&self) -> Vec<&str> {
        self.0["events"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The names of the headers that it wants.
    pub(crate) fn headers(&self) -> Vec<String> {
        self.0["headers"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// A moment of it.
    pub(crate) fn moment(&self, name: &str) -> Option<Timestamp> {
        moment(&self.0[name])
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or_default()
    }

    /// A number of it, as it is written.
    pub(crate) fn number(&self, name: &str) -> String {
        self.0[name].as_i64().map(|number| number.to_string()).unwrap_or_default()
    }

    /// Whether it has a status: `enabled`, `paused` or `disabled`.
    pub(crate) fn is(&self, status: &str) -> bool {
        self.text("status") == status
    }

    /// What of its events it wants, as path and values.
    pub(crate) fn filter(&self) -> Vec<(String, String)> {
        let written = |values: &Value| {
            let values = values.as_array().into_iter().flatten();
            values.map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let paths = self.0["filter"].as_object().into_iter().flatten();
        paths.map(|(path, values)| (path.clone(), written(values))).collect()
    }

    /// The waits before each try, if it has a schedule of its own.
    pub(crate) fn schedule(&self) -> String {
        let waits = self.0["retrySchedule"].as_array().into_iter().flatten().filter_map(Value::as_i64);
        waits.map(|wait| format!("{wait} s")).collect::<Vec<_>>().join(", ")
    }
}

/// A moment in an answer of the API's.
pub(crate) fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(Timestamp::parse)
}

/// One endpoint of the member's company, and the tag of its version.
pub(crate) async fn find(
    console: &Console,
    member: &Member,
    id: &str,
) -> Result<(Endpoint, String), Refused> {
    let reply = console.inside.read(member.reads(), &format!("/webhooks/{}", escaped(id))).await?;
    Ok((Endpoint(reply.body), reply.etag))
}

/// How an endpoint is doing.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    /// As the API calls it.
    pub(crate) state: String,
    pub(crate) waiting: i64,
    /// Whether all that waits was counted.
    pub(crate) is_exact: bool,
    pub(crate) last_success: Option<Timestamp>,
    pub(crate) failing_since: Option<Timestamp>,
    /// When it is called again, if that is later.
    pub(crate) next: Option<Timestamp>,
    /// What became of the last deliveries, the oldest first: the states, and `retrying` for one that failed and waits.
    pub(crate) recent: Vec<&'static str>,
}

impl Pulse {
    fn of(health: &Value, deliveries: &Value) -> Self {
        let mut recent: Vec<_> = deliveries["data"].as_array().into_iter().flatten().map(state_of).collect();
        recent.reverse();
        Self {
            state: health["state"].as_str().unwrap_or_default().to_owned(),
            waiting: health["waiting"].as_i64().unwrap_or_default(),
            is_exact: health["waitingIsExact"].as_bool().unwrap_or(true),
            last_success: moment(&health["lastSuccessAt"]),
            failing_since: moment(&health["failingSince"]),
            next: moment(&health["nextAttemptAt"]),
            recent,
        }
    }

    /// Of the last deliveries that were tried: how many arrived, and how many these are.
    fn arrived(&self) -> (usize, usize) {
        let count = |state: &str| self.recent.iter().filter(|one| **one == state).count();
        let good = count("delivered");
        (good, good + count("failed") + count("retrying"))
    }

    /// The share of the last deliveries that arrived, in percent; nothing if none was tried.
    pub(crate) fn rate(&self) -> Option<usize> {
        let (good, tried) = self.arrived();
        (good * 100).checked_div(tried)
    }

    /// The same in words.
    pub(crate) fn told(&self, language: Language) -> String {
        let (good, tried) = self.arrived();
        language.pick(
            format!("{good} de las últimas {tried} entregas llegaron"),
            format!("{good} of the last {tried} deliveries arrived"),
        )
    }
}

/// The state of a delivery; one that failed and waits is `retrying`.
pub(crate) fn state_of(delivery: &Value) -> &'static str {
    let tried = delivery["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty());
    match delivery["state"].as_str().unwrap_or_default() {
        "delivered" => "delivered",
        "failed" => "failed",
        "cancelled" => "cancelled",
        _ if tried => "retrying",
        _ => "waiting",
    }
}

/// How an endpoint is doing, by its lane and its last deliveries. Its report over a day is not asked for: it looks through
/// the log.
pub(crate) async fn pulse(console: &Console, who: Insider, id: &str) -> Result<Pulse, Refused> {
    let from = console.clock.now().plus(-1);
    let health = format!("/webhooks/{id}/health?from={}", escaped(&from.to_string()));
    let deliveries = format!("/deliveries?webhookId={id}&limit={MOST}");
    let health = console.inside.read(who.clone(), &health).await?;
    let deliveries = console.inside.read(who, &deliveries).await?;
    Ok(Pulse::of(&health.body, &deliveries.body))
}
