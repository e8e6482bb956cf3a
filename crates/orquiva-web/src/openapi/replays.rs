//! The schemas of replays, and of how an endpoint stands.

use orquiva_core::event::EventType;
use orquiva_core::webhook::replay::Which;
use serde_json::{Value, json};

use super::samples::{EVENT, MOMENT, REPLAY, WEBHOOK};
use super::shapes::{count, flag, id, list, moment, nullable, object, refer, said, string, whole, word};

/// The schemas of this file, by name.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let own = |(name, schema): (&str, Value)| (name.to_owned(), schema);
    let all = [
        ("NewReplay", new_replay()),
        ("Replay", replay()),
        ("MissingEvent", missing_event()),
        ("GapReport", gap_report()),
        ("Health", health()),
    ];
    all.map(own).to_vec()
}

fn new_replay() -> Value {
    let patterns = json!({ "type": "array", "items": string(), "minItems": 1, "maxItems": 50 });
    let ids = json!({ "type": "array", "items": id("evt"), "minItems": 1, "maxItems": 1_000 });
    json!({
        "type": "object",
        "description": "Which events are sent again: those between two moments, or those that are named. It takes `from` or `eventIds`.",
        "properties": {
            "from": said(moment(), "What happened at this moment or later."),
            "to": said(nullable(moment()), "What happened before this moment; until now, if it is not there."),
            "types": said(nullable(patterns), "Only these types (`employee.created`, `employee.*`)."),
            "state": said(
                nullable(word(Which::ALL)),
                "`missed`: what did not arrive, whether it failed or was never sent (with `from`, if you do not say). \
                 `failed`: what ran out of tries. `all`: what arrived too (with `eventIds`, if you do not say).",
            ),
            "eventIds": said(nullable(ids), "These events, whatever the endpoint is subscribed to."),
            "ratePerSecond": said(nullable(whole(1, 1_000)), "Most that are sent in a second."),
        },
        "examples": [{ "from": MOMENT, "types": ["employee.*"], "state": "missed", "ratePerSecond": 50 }],
    })
}

fn replay() -> Value {
    object(
        "Events that an endpoint gets again.",
        &[
            ("id", id("rpl"), "Its id.", json!(REPLAY)),
            ("webhookId", id("whk"), "The endpoint.", json!(WEBHOOK)),
            ("status", word(&["running", "completed", "cancelled"]), "How it stands.", json!("running")),
            (
                "reason",
                nullable(word(&["webhook_disabled", "webhook_deleted"])),
                "Why it was cancelled, if nobody asked for it.",
                Value::Null,
            ),
            ("from", nullable(moment()), "The first moment.", json!(MOMENT)),
            ("to", nullable(moment()), "The moment before which.", Value::Null),
            ("types", nullable(list(word(EventType::ALL))), "Only these types.", json!(["employee.created"])),
            ("state", word(Which::ALL), "By what became of them.", json!("missed")),
            ("ratePerSecond", nullable(whole(1, 1_000)), "Most in a second.", json!(50)),
            ("total", count(), "How many events it was to be when it was asked for.", json!(1_200)),
            ("totalIsExact", flag(), "Whether that was counted to the end.", json!(true)),
            ("queued", count(), "How many are in the endpoint's queue, or were.", json!(700)),
            ("waiting", count(), "How many of these wait.", json!(100)),
            ("delivered", count(), "How many arrived.", json!(598)),
            ("failed", count(), "How many ran out of tries.", json!(2)),
            ("cancelled", count(), "How many were cancelled.", json!(0)),
            ("createdAt", moment(), "When it was asked for.", json!(MOMENT)),
            ("doneAt", nullable(moment()), "When it was over.", Value::Null),
        ],
    )
}

fn missing_event() -> Value {
    object(
        "An event that an endpoint has not confirmed.",
        &[
            ("eventId", id("evt"), "The event.", json!(EVENT)),
            ("eventType", word(EventType::ALL), "What it tells of.", json!("employee.created")),
            ("state", word(&["waiting", "failed", "never_sent"]), "What became of it.", json!("failed")),
        ],
    )
}

fn gap_report() -> Value {
    let missing = missing_event()["examples"][0].clone();
    object(
        "Which events between two moments an endpoint has confirmed.",
        &[
            ("from", moment(), "The first moment.", json!(MOMENT)),
            ("to", moment(), "The moment before which.", json!("2026-01-02T09:00:00.000Z")),
            ("checkedTo", moment(), "Up to where it was looked.", json!("2026-01-02T09:00:00.000Z")),
            ("isComplete", flag(), "Whether that is all.", json!(true)),
            ("events", count(), "Events that it is subscribed to.", json!(1_000)),
            ("confirmed", count(), "Those that arrived.", json!(999)),
            (
                "missing",
                list(refer("MissingEvent")),
                "The others, up to 100, the oldest first.",
                json!([missing]),
            ),
        ],
    )
}

fn health() -> Value {
    let states = ["idle", "delivering", "backing_off", "open", "paused", "disabled"];
    let report = gap_report()["examples"][0].clone();
    object(
        "How an endpoint stands.",
        &[
            ("webhookId", id("whk"), "The endpoint.", json!(WEBHOOK)),
            (
                "state",
                word(&states),
                "`backing_off`: what waits is tried again later. `open`: it failed so often that only a trial is sent.",
                json!("idle"),
            ),
            ("nextAttemptAt", nullable(moment()), "When it is called again, if that is later.", Value::Null),
            ("lastSuccessAt", nullable(moment()), "When it last took something.", json!(MOMENT)),
            ("failingSince", nullable(moment()), "Since when it has taken nothing.", Value::Null),
            ("waiting", count(), "Deliveries that wait, counted up to 10,000.", json!(0)),
            ("waitingIsExact", flag(), "Whether there are no more.", json!(true)),
            ("report", refer("GapReport"), "What it has confirmed.", report),
        ],
    )
}
