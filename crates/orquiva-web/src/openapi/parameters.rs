//! The parameters, each described once: a handler only names those of its query.

use orquiva_core::employee::{EmploymentType, FIELDS, SENSITIVE, Status};
use orquiva_core::event::EventType;
use orquiva_store::delivery::State;
use serde_json::{Value, json};

use super::samples::{DEPARTMENT, EMPLOYEE, MOMENT, REPLAY};
use super::shapes::{day, id, moment, pattern, string, text, whole, word};
use crate::api::SORTS;
use crate::pick::BESIDE;

/// Form, meaning and example of a parameter.
type Known = (Value, &'static str, Value);

/// The parameters of queries. Where one name means two things, its path stands before it.
fn query(path: &str, name: &str) -> Option<Known> {
    let known = match name {
        "limit" => (whole(1, 200), "Most entries of a page; 50 if it is not there.", json!(50)),
        "cursor" => (
            sought(),
            "Where to go on: `nextCursor` of the page before, under the same filters.",
            Value::Null,
        ),
        "dryRun" => (json!({ "type": "boolean" }), "Answers what would be, and stores nothing.", Value::Null),
        "after" => (whole(0, i64::MAX), "A sequence: only what came after it.", json!(0)),
        "types" => {
            (sought(), "Types or patterns of them, parted by commas.", json!("employee.*,department.created"))
        }
        "department" => (sought(), "By name; case and accents do not matter.", json!("Ventas")),
        "parentId" => (id("dep"), "Directly under this department.", json!(DEPARTMENT)),
        "replaceWith" => (id("dep"), "The department that takes the place of the removed one.", Value::Null),
        "name" => (sought(), "By name; case and accents do not matter.", json!("Ventas")),
        "code" => (sought(), "By code.", json!("VEN")),
        "departmentId" if path == "/v1/employees" => {
            (ids("dep"), "In one of these departments.", json!(DEPARTMENT))
        }
        "managerId" => (ids("emp"), "Who reports directly to one of them.", json!(EMPLOYEE)),
        "status" => (several(Status::ALL), "Who stands so.", json!("active,on_leave")),
        "employmentType" => (several(EmploymentType::ALL), "With this kind of contract.", json!("full_time")),
        "employeeNumber" => (sought(), "By the number in payroll.", json!("A-0042")),
        "location" => (sought(), "Who works there.", json!("Madrid")),
        "email" => (sought(), "By work e-mail.", json!("ana@acme.es")),
        "q" => (
            text(200),
            "The beginnings of up to eight words of name or e-mail; case and accents do not matter.",
            json!("ana per"),
        ),
        "startedFrom" => (day(), "Whose first day is this one or later.", json!("2026-01-01")),
        "startedTo" => (day(), "Whose first day is this one or earlier.", Value::Null),
        "createdSince" => (moment(), "Hired here at this moment or later.", json!(MOMENT)),
        "updatedSince" => (
            moment(),
            "Changed at this moment or later; sorted by `updatedAt` unless `sort` says otherwise.",
            json!(MOMENT),
        ),
        "sort" => (word(&sorts()), "The order; a hyphen turns it round.", json!("-updatedAt")),
        "fields" => (
            several(&[FIELDS, SENSITIVE].concat()),
            "Only these fields, and the id.",
            json!("fullName,email"),
        ),
        "expand" => (
            several(BESIDE),
            "What is shown beside the fields: `manager` whom they report to, `department` the department as \
             `departmentDetails` (it takes `departments:read`).",
            json!("manager"),
        ),
        "force" => {
            (json!({ "type": "boolean" }), "Removes the values that people have of it too.", Value::Null)
        }
        "externalRef" => (
            pattern("^[A-Za-z0-9_.-]{1,64}:.+$"),
            "By what another system calls them: `system:value`.",
            json!("stripe_id:cus_1"),
        ),
        "depth" => (
            word(&["direct", "all"]),
            "Whether also those who report to them through others.",
            json!("direct"),
        ),
        "webhookId" => (id("whk"), "To this endpoint.", Value::Null),
        "eventId" => (id("evt"), "Of this event.", Value::Null),
        "state" => (word(State::ALL), "Those that stand so.", json!("failed")),
        "eventType" => (word(EventType::ALL), "Of events of this type.", json!("employee.created")),
        "unread" => (json!({ "type": "boolean" }), "Only what nobody took note of.", json!(true)),
        "replayId" => (id("rpl"), "Of this replay.", Value::Null),
        "from" if path == "/v1/deliveries" => (moment(), "Made at this moment or later.", json!(MOMENT)),
        "to" if path == "/v1/deliveries" => (moment(), "Made before this moment.", Value::Null),
        "from" if path.ends_with("/health") => (moment(), "Events of this moment or later.", json!(MOMENT)),
        "to" if path.ends_with("/health") => (moment(), "Events before this moment.", Value::Null),
        "clientId" => (id("cli"), "Of this client.", Value::Null),
        "from" if path == "/v1/usage" => (moment(), "From this minute on.", json!(MOMENT)),
        "to" if path == "/v1/usage" => (moment(), "Before this moment.", Value::Null),
        "from" => (day(), "From this day on.", Value::Null),
        _ => return None,
    };
    Some(known)
}

/// A text to look for: a longer one than there can be is found nowhere.
fn sought() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

/// One or more of these words, parted by commas.
fn several(words: &[&str]) -> Value {
    let one = words.join("|");
    pattern(&format!("^({one})(,({one}))*$"))
}

/// One or more ids of this kind, parted by commas.
fn ids(prefix: &str) -> Value {
    let one = format!("{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}");
    pattern(&format!("^{one}(,{one})*$"))
}

/// Every order of employees.
fn sorts() -> Vec<&'static str> {
    SORTS.iter().flat_map(|(up, down, _)| [*up, *down]).collect()
}

/// The parameters of paths.
fn path(path: &str, name: &str) -> Option<Known> {
    let kinds = [
        ("/.well-known/webhook-keys/", "whk", "whk_01KDVFA15R8CR9TPWA4RSS4BJA"),
        ("/v1/employees/", "emp", EMPLOYEE),
        ("/v1/departments/", "dep", DEPARTMENT),
        ("/v1/events/", "evt", "evt_01KDVFA1548CR9TPWA4RSS4BJ9"),
        ("/v1/webhooks/", "whk", "whk_01KDVFA15R8CR9TPWA4RSS4BJA"),
        ("/v1/replays/", "rpl", REPLAY),
        ("/v1/notices/", "ntc", "ntc_01KDVFA16B8CR9TPWA4RSS4BJN"),
        ("/v1/deliveries/", "dlv", "dlv_01KDVFA16B8CR9TPWA4RSS4BJB"),
    ];
    let kind = kinds.iter().find(|(start, ..)| path.starts_with(start));
    match (name, kind) {
        ("slug", _) => Some((pattern("^[a-z][a-z0-9_]{0,39}$"), "Its name in JSON.", json!("talla"))),
        ("system", _) => Some((pattern("^[A-Za-z0-9_.-]{1,64}$"), "The other system.", json!("stripe_id"))),
        ("value", _) => Some((text(255), "What it calls them.", json!("cus_1"))),
        ("id", Some((_, prefix, example))) => Some((id(prefix), "Its id.", json!(example))),
        _ => None,
    }
}

/// A parameter of a path or of a query, in full. One that is not known here is left without a form, and a test
/// finds it.
pub(super) fn described(place: &str, at: &str, name: &str) -> Value {
    let known = if place == "path" { path(at, name) } else { query(at, name) };
    let mut parameter = json!({ "name": name, "in": place });
    if let Some((schema, what, example)) = known {
        parameter["description"] = what.into();
        if place == "path" {
            parameter["required"] = true.into();
        }
        parameter["schema"] = schema;
        if !example.is_null() {
            parameter["example"] = example;
        }
    }
    parameter
}

/// The parameters that many operations share, by name.
pub(super) fn shared() -> Value {
    let header = |name: &str, what: &str, schema: Value| json!({ "name": name, "in": "header", "description": what, "schema": schema });
    json!({
        "Limit": described("query", "", "limit"),
        "Cursor": described("query", "", "cursor"),
        "DryRun": described("query", "", "dryRun"),
        "AcceptLanguage": header("Accept-Language", "The language of `title` and `detail`: `es` or `en`.", string()),
        "IdempotencyKey": header(
            "Idempotency-Key",
            "Names the operation: a repeat within 24 hours gets the first one's answer, and nothing is done twice.",
            json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" }),
        ),
        "IfMatch": header("If-Match", "An `ETag`: only this version is written to.", string()),
        "IfNoneMatch": header("If-None-Match", "An `ETag`: 304, and free, if that version is still the present one.", string()),
        "LastEventId": header("Last-Event-ID", "The last `id` that arrived: goes on after it.", string()),
    })
}
