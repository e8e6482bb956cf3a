//! The schemas of deliveries: in a list, and whole.

use orquiva_core::event::EventType;
use orquiva_store::delivery::State;
use serde_json::{Value, json};

use super::samples::{DELIVERY, EVENT, MOMENT, WEBHOOK};
use super::shapes::{count, id, list, map, moment, nullable, object, refer, said, string, whole, word};

/// Name, form, meaning and example of a field.
type Known = (&'static str, Value, &'static str, Value);

/// The schemas of this file, by name.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let own = |(name, schema): (&str, Value)| (name.to_owned(), schema);
    let all = [
        ("Attempt", object("One attempt to deliver an event.", &attempt())),
        ("WholeAttempt", whole_attempt()),
        ("SentRequest", sent_request()),
        ("ReceivedAnswer", received_answer()),
        ("Delivery", delivery("One event on its way to one endpoint.", "Attempt", &attempt())),
        ("WholeDelivery", whole_delivery()),
        ("Notice", notice()),
    ];
    all.map(own).to_vec()
}

/// What an administrator has to know of an endpoint.
fn notice() -> Value {
    let data = json!({
        "url": "https://hooks.acme.es/orquiva",
        "description": null,
        "disabledReason": null,
        "failingSince": MOMENT,
        "waiting": 12,
    });
    object(
        "What the administrators have to know.",
        &[
            ("id", id("ntc"), "Its id.", json!("ntc_01KDVFA16B8CR9TPWA4RSS4BJN")),
            (
                "kind",
                word(&["webhook_endpoint.failing", "webhook_endpoint.disabled", "webhook_endpoint.expiring"]),
                "Of what: the type of the event that tells the same; of what expires there is none.",
                json!("webhook_endpoint.failing"),
            ),
            ("webhookId", id("whk"), "The endpoint.", json!(WEBHOOK)),
            ("data", map(json!({})), "What there is to know of it.", data),
            ("createdAt", moment(), "Since when.", json!(MOMENT)),
            ("readAt", nullable(moment()), "When somebody took note of it.", Value::Null),
        ],
    )
}

fn attempt() -> Vec<Known> {
    vec![
        ("number", whole(1, 1_000), "Counts from 1.", json!(1)),
        ("startedAt", moment(), "When it began.", json!(MOMENT)),
        ("durationMs", count(), "How long it took.", json!(41)),
        ("status", nullable(whole(100, 999)), "The HTTP status, if there was an answer.", json!(200)),
        ("error", nullable(string()), "Why there was none, in a word.", Value::Null),
        ("errorDetail", nullable(string()), "The same in full.", Value::Null),
        ("address", nullable(string()), "Who was at the other end.", json!("203.0.113.7:443")),
    ]
}

fn whole_attempt() -> Value {
    object("One attempt to deliver an event, with what was sent and what came back.", &whole_attempt_fields())
}

fn whole_attempt_fields() -> Vec<Known> {
    let mut fields = attempt();
    fields.push((
        "request",
        nullable(refer("SentRequest")),
        "What was sent.",
        sent_request()["examples"][0].clone(),
    ));
    let answer = received_answer()["examples"][0].clone();
    fields.push(("response", nullable(refer("ReceivedAnswer")), "What came back.", answer));
    fields
}

fn headers() -> Value {
    map(json!({ "anyOf": [string(), list(string())] }))
}

fn sent_request() -> Value {
    object(
        "A request as it was sent.",
        &[
            ("method", word(&["POST"]), "Always POST.", json!("POST")),
            ("url", string(), "Where to.", json!("https://hooks.acme.es/orquiva")),
            (
                "headers",
                headers(),
                "The headers, in lower case; values of the endpoint's own headers are hidden.",
                json!({ "webhook-id": EVENT, "x-orq-attempt": "1" }),
            ),
            ("body", string(), "The body, byte for byte.", json!("{…}")),
        ],
    )
}

fn received_answer() -> Value {
    object(
        "What an endpoint answered.",
        &[
            ("status", nullable(whole(100, 999)), "The HTTP status, if the answer was whole.", json!(500)),
            (
                "headers",
                nullable(headers()),
                "Its headers, unless it was a success.",
                json!({ "retry-after": "60" }),
            ),
            ("body", nullable(string()), "Its first 8 KiB.", json!("busy")),
        ],
    )
}

fn delivery(what: &'static str, attempts: &str, attempt: &[Known]) -> Value {
    let example: Value =
        attempt.iter().map(|(name, _, _, example)| ((*name).to_owned(), example.clone())).collect();
    object(
        what,
        &[
            ("id", id("dlv"), "Its id.", json!(DELIVERY)),
            ("webhookId", id("whk"), "The endpoint.", json!(WEBHOOK)),
            ("eventId", id("evt"), "The event.", json!(EVENT)),
            ("eventType", word(EventType::ALL), "What the event tells of.", json!("employee.created")),
            ("state", word(State::ALL), "How it stands.", json!("delivered")),
            (
                "expired",
                json!({ "type": "boolean" }),
                "Whether it failed because its endpoint was paused for longer than events are kept.",
                json!(false),
            ),
            ("nextAttemptAt", nullable(moment()), "When it is tried again, while it waits.", Value::Null),
            ("replayId", nullable(id("rpl")), "The replay by which it came to be.", Value::Null),
            ("attempts", list(refer(attempts)), "What was tried.", json!([example])),
            ("createdAt", moment(), "When the event was routed.", json!(MOMENT)),
            ("doneAt", nullable(moment()), "When it ended.", json!(MOMENT)),
        ],
    )
}

fn whole_delivery() -> Value {
    let what = "One event on its way to one endpoint, with what was sent and what came back.";
    let mut schema = delivery(what, "WholeAttempt", &whole_attempt_fields());
    schema["properties"]["_meta"] = said(refer("Meta"), "What is hidden of the attempts.");
    schema
}
