//! The schemas of events and of the endpoints that they go to; and the `webhooks` of the document: what each type looks
//! like when it arrives.

use orquiva_core::event::{API_VERSION, EventType};
use orquiva_core::webhook::{Format, Payload, Status};
use serde_json::{Map, Value, json};

use super::people;
use super::samples::{CLIENT, COMPANY, DELIVERY, EVENT, MOMENT, WEBHOOK};
use super::shapes::{
    By, Resource, address, count, field, flag, id, list, map, moment, nullable, object, refer, said, string,
    text, whole, word,
};

/// Where events go.
pub(super) fn webhook() -> Resource {
    let patterns = || json!({ "type": "array", "items": string(), "minItems": 1, "maxItems": 50 });
    Resource {
        name: "Webhook",
        what: "An endpoint to which events go.",
        fields: vec![
            field("id", By::Server, id("whk"), "Its id, never used again.", WEBHOOK),
            field(
                "url",
                By::Needed,
                json!({ "type": "string", "format": "uri" }),
                "Where deliveries go: https, to a public address.",
                "https://hooks.acme.es/orquiva",
            )
            .written(address()),
            field(
                "events",
                By::Needed,
                patterns(),
                "What it is subscribed to: types (`employee.created`), all types of a resource (`employee.*`), or all (`*`).",
                json!(["employee.*"]),
            ),
            field("description", By::Client, text(500), "What it is for.", "CRM"),
            field(
                "filter",
                By::Client,
                wanted(),
                "Which of those events it wants: paths (`data.department`) with the values that are allowed there.",
                json!({ "data.department": ["Ventas"] }),
            ),
            field("payload", By::Either, word(Payload::ALL), "All of an event, or of `data` the `id` alone.", "full"),
            field(
                "format",
                By::Either,
                word(Format::ALL),
                "As the log shows it, or as a CloudEvent 1.0 in structured mode.",
                "json",
            ),
            field(
                "headers",
                By::Either,
                map(string()),
                "Headers that go with each delivery; their values are never shown.",
                json!({ "authorization": "***" }),
            ),
            field("ordered", By::Either, flag(), "Whether deliveries go one by one, in the order of the log.", false),
            field(
                "maxConcurrency",
                By::Either,
                whole(1, 32),
                "Most deliveries under way at the same time, unless they go in order.",
                4,
            ),
            field("ratePerSecond", By::Client, whole(1, 1000), "Most deliveries that begin in a second.", Value::Null),
            field(
                "retrySchedule",
                By::Client,
                json!({ "type": "array", "items": whole(0, 86_400), "minItems": 1, "maxItems": 20 }),
                "The waits before each try, in seconds, if it has a schedule of its own.",
                Value::Null,
            ),
            field(
                "sensitive",
                By::Either,
                flag(),
                "Whether events carry the sensitive fields too: it takes `employees.sensitive:read` to ask for it.",
                false,
            ),
            field("ed25519", By::Either, flag(), "Whether deliveries are signed with a key of its own too.", false),
            field(
                "status",
                By::Either,
                word(Status::ALL),
                "`paused` keeps what is for it; `disabled` by the server, after a 410 or five days without a success.",
                "enabled",
            )
            .written(nullable(word(&["enabled", "paused"]))),
            field("disabledReason", By::ServerOrNone, string(), "Why it is disabled.", Value::Null),
            field("disabledAt", By::ServerOrNone, moment(), "Since when.", Value::Null),
            field(
                "previousSecretUntil",
                By::ServerOrNone,
                moment(),
                "Until when the secret before the last rotation signs too.",
                Value::Null,
            ),
            field("publicKey", By::ServerOrNone, string(), "Its public Ed25519 key, as `whpk_…`.", Value::Null),
            field(
                "failedDeliveries",
                By::Some,
                count(),
                "Where it was enabled again: how many deliveries have failed and can be sent again.",
                0,
            ),
            field("version", By::Server, whole(1, i64::MAX), "Counts the changes, from 1; the `ETag` shows it.", 1),
            field("createdAt", By::Server, moment(), "When it was created.", MOMENT),
            field("updatedAt", By::Server, moment(), "When it last changed.", MOMENT),
        ],
        new: json!({ "url": "https://hooks.acme.es/orquiva", "events": ["employee.*"] }),
        patch: json!({ "events": ["*"] }),
    }
}

/// Paths and the values that are allowed there.
fn wanted() -> Value {
    let values = json!({ "type": "array", "items": {}, "minItems": 1, "maxItems": 50 });
    json!({ "type": "object", "maxProperties": 10, "additionalProperties": values })
}

/// An endpoint in the one answer that shows its secret.
fn created_webhook() -> Value {
    let mut schema = webhook().shown();
    let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    schema["description"] = "An endpoint with a new secret: keep it, it is shown this once.".into();
    schema["properties"]["secret"] = said(string(), "Signs the deliveries.");
    schema["examples"][0]["secret"] = secret.into();
    if let Some(required) = schema["required"].as_array_mut() {
        required.push("secret".into());
    }
    schema
}

/// What a client may say of a rotation.
fn rotation() -> Value {
    json!({
        "type": "object",
        "description": "How long the old secret signs too.",
        "properties": { "overlapHours": said(nullable(whole(0, 168)), "Hours; 24 if it is not said.") },
        "additionalProperties": false,
        "examples": [{ "overlapHours": 24 }],
    })
}

fn test() -> Value {
    object(
        "A test that is on its way.",
        &[
            ("eventId", id("evt"), "The event that was raised.", json!(EVENT)),
            ("deliveryId", id("dlv"), "The delivery that is made of it.", json!(DELIVERY)),
        ],
    )
}

/// The schemas of this file, by name.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let mut schemas = vec![
        ("CreatedWebhook".to_owned(), created_webhook()),
        ("SecretRotation".to_owned(), rotation()),
        ("WebhookTest".to_owned(), test()),
        ("Event".to_owned(), any_event()),
        ("EventPage".to_owned(), page()),
        ("EventStream".to_owned(), stream()),
    ];
    schemas.extend(EventType::EACH.iter().map(|kind| (name(*kind), event(*kind))));
    schemas
}

/// The name of the schema of a type of event: `EmployeeCreatedEvent`.
fn name(kind: EventType) -> String {
    let mut name = String::new();
    for part in kind.as_str().split(['.', '_']) {
        name.extend(part.chars().take(1).map(|letter| letter.to_ascii_uppercase()));
        name.extend(part.chars().skip(1));
    }
    name + "Event"
}

/// What events of a type tell of.
fn subject(kind: EventType) -> Resource {
    match kind.as_str().split('.').next() {
        Some("department") => people::department(),
        Some("webhook_endpoint" | "webhook") => webhook(),
        Some(_) | None => people::employee(),
    }
}

/// Whether events of a type tell what changed.
fn tells_changes(kind: EventType) -> bool {
    let kind = kind.as_str();
    !kind.starts_with("webhook") && !kind.ends_with(".created") && !kind.ends_with(".deleted")
}

fn event(kind: EventType) -> Value {
    let subject = subject(kind);
    let mut schema = json!({
        "type": "object",
        "description": kind.what(),
        "required": ["id", "type", "timestamp", "sequence", "apiVersion", "companyId", "actor", "data"],
        "properties": {
            "id": said(id("evt"), "Its id: drop what comes twice by it."),
            "type": { "const": kind.as_str(), "type": "string" },
            "timestamp": said(moment(), "When it happened."),
            "sequence": said(whole(1, i64::MAX), "Its place in the company's log, without gaps, in the order of the commits."),
            "apiVersion": said(word(&[API_VERSION]), "The version whose shapes `data` has."),
            "companyId": said(id("cmp"), "Whose event it is."),
            "actor": refer("Actor"),
            "data": said(refer(subject.name), "The resource as it is after the event; a removed one as it was before."),
        },
    });
    if tells_changes(kind) {
        schema["properties"]["changed"] = said(list(string()), "The names of the fields that changed.");
        schema["properties"]["previous"] = said(map(json!({})), "What they were.");
    }
    schema["examples"] = json!([example(kind)]);
    schema
}

/// A real event of this type.
fn example(kind: EventType) -> Value {
    let mut data = subject(kind).example();
    if kind.as_str() == "webhook_endpoint.disabled" {
        data["status"] = "disabled".into();
        data["disabledReason"] = "gone".into();
        data["disabledAt"] = MOMENT.into();
    }
    let is_ours = matches!(kind, EventType::WebhookFailing | EventType::WebhookDisabled);
    let actor = match is_ours {
        true => json!({ "type": "system" }),
        false => json!({ "type": "client", "id": CLIENT }),
    };
    let mut event = json!({
        "id": EVENT,
        "type": kind.as_str(),
        "timestamp": MOMENT,
        "sequence": 42,
        "apiVersion": API_VERSION,
        "companyId": COMPANY,
        "actor": actor,
        "data": data,
    });
    if kind.as_str().ends_with(".updated") {
        let field = if event["data"].get("jobTitle").is_some() { "jobTitle" } else { "code" };
        event["data"]["version"] = 2.into();
        event["changed"] = json!([field]);
        event["previous"] = json!({ field: null });
    }
    event
}

fn any_event() -> Value {
    let each = EventType::EACH.iter();
    let mapping: Map<_, _> =
        each.clone().map(|kind| (kind.as_str().to_owned(), refer(&name(*kind))["$ref"].clone())).collect();
    json!({
        "description": "What happened, once and in its place of the company's log.",
        "oneOf": each.map(|kind| refer(&name(*kind))).collect::<Vec<_>>(),
        "discriminator": { "propertyName": "type", "mapping": mapping },
        "examples": [example(EventType::EmployeeCreated)],
    })
}

fn page() -> Value {
    object(
        "A page of the log.",
        &[
            (
                "data",
                list(refer("Event")),
                "The events, in order.",
                json!([example(EventType::EmployeeCreated)]),
            ),
            (
                "hasMore",
                json!({ "type": "boolean" }),
                "Whether more of them are there already.",
                json!(false),
            ),
            ("nextAfter", count(), "Where to go on: the next `after`.", json!(42)),
        ],
    )
}

fn stream() -> Value {
    let data = example(EventType::EmployeeCreated);
    json!({
        "type": "string",
        "description": "Server-Sent Events: `id` is the sequence, `data` an `Event` as one line of JSON; comments keep it open.",
        "examples": [format!("id: 42\ndata: {data}\n\n")],
    })
}

/// The `webhooks` of the document: one for each type, as it arrives at an endpoint.
pub(super) fn webhooks() -> Value {
    let each =
        EventType::EACH.iter().map(|kind| (kind.as_str().to_owned(), json!({ "post": arrival(*kind) })));
    Value::Object(each.collect())
}

fn arrival(kind: EventType) -> Value {
    let header = |name: &str, what: &str, example: &str| json!({ "name": name, "in": "header", "required": true, "description": what, "schema": string(), "example": example });
    json!({
        "tags": ["Webhooks"],
        "summary": kind.what().trim_end_matches('.'),
        "description": "Sent at least once to each endpoint that is subscribed to it. Check the signature over the \
            raw body before reading it, answer within 15 seconds, and drop what comes twice by the event's `id`.",
        "operationId": format!("on{}", name(kind)),
        "security": [],
        "parameters": [
            header("X-Orq-Signature", "`t=<unix>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>` under the whole secret; one `v1` for each live secret.", "t=1767225600,v1=b6828bfa1fadbb127e50a9f1f14e419e35ce20cebb1766e73ce552cdf829b810"),
            header("webhook-id", "The event's id (Standard Webhooks).", EVENT),
            header("webhook-timestamp", "When it was sent, in seconds since 1970.", "1767225600"),
            header("webhook-signature", "`v1,<base64>`: the signature of Standard Webhooks, one for each live secret; and `v1a,<base64>` for each key.", "v1,UqNqWGKP948Qic0jhbU9ovQsRUR7dbqkBVIT+TaLukE="),
            header("X-Orq-Event-Type", "The event's type.", kind.as_str()),
            header("X-Orq-Delivery", "The delivery's id.", DELIVERY),
            header("X-Orq-Attempt", "Counts the attempts, from 1.", "1"),
        ],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": refer(&name(kind)), "example": example(kind) } },
        },
        "responses": {
            "2XX": { "description": "It has arrived." },
            "410": { "description": "Nothing is to be sent here any more: the endpoint is disabled." },
            "429": { "description": "Later: after `Retry-After`, without spending an attempt." },
            "503": { "description": "Later: after `Retry-After`, without spending an attempt." },
            "default": { "description": "Not delivered; it is tried again." },
        },
    })
}
