//! An endpoint as a client writes it.

use serde::Serialize;
use serde_json::{Value, json};

use super::address::Reach;
use super::filter::Filter;
use super::headers::Headers;
use super::url::WebhookUrl;
use super::words::{Format, Payload, Status};
use crate::event::Pattern;
use crate::field::{self, Fault, FieldError, Fields, flag, line, string, whole, word};

/// Deliveries of one endpoint that are sent at the same time, unless it says otherwise.
const DEFAULT_CONCURRENCY: i64 = 4;

/// Most events or patterns that an endpoint may name.
const MOST_EVENTS: usize = 50;

/// Most tries that a schedule may have.
const MOST_TRIES: usize = 20;

/// The longest wait between two tries, in seconds.
const LONGEST_WAIT: i64 = 86_400;

/// The longest time over which a delivery may be tried, in seconds.
const LONGEST_SCHEDULE: i64 = 5 * 86_400;

/// The part of an endpoint that a client writes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewWebhook {
    /// Where deliveries go.
    pub url: WebhookUrl,
    /// What it is subscribed to.
    pub events: Vec<Pattern>,
    /// What it is for, in its owner's words.
    pub description: Option<String>,
    /// Which of those events it wants.
    pub filter: Option<Filter>,
    /// How much of an event is sent.
    pub payload: Payload,
    /// In which form.
    pub format: Format,
    /// Headers that go with each delivery.
    pub headers: Headers,
    /// Whether deliveries go one by one, in the order of the log.
    pub ordered: bool,
    /// Most deliveries under way at the same time, unless they go in order.
    pub max_concurrency: i64,
    /// Most deliveries that begin in a second.
    pub rate_per_second: Option<i64>,
    /// The waits before each try, in seconds, if it has a schedule of its own.
    pub retry_schedule: Option<Vec<i64>>,
    /// Whether deliveries carry the sensitive fields of employees.
    pub sensitive: bool,
    /// Whether deliveries are signed with an Ed25519 key too.
    pub ed25519: bool,
    /// Whether it takes deliveries.
    pub status: Status,
}

impl NewWebhook {
    /// Reads what a client sent to create an endpoint.
    pub fn parse(body: &Value, reach: &Reach) -> Result<Self, Vec<FieldError>> {
        read(body, None, reach)
    }

    /// Reads what `former` becomes under a merge patch (RFC 7396).
    pub fn patched(former: &Self, patch: &Value, reach: &Reach) -> Result<Self, Vec<FieldError>> {
        let refused = |name: &str| match name {
            known if super::WRITABLE.contains(&known) => None,
            known if super::READ_ONLY.contains(&known) => Some(Fault::ReadOnly),
            unknown => Some(field::unknown(unknown, super::WRITABLE)),
        };
        let mut whole = json!(former);
        whole["headers"] = former.headers.spelt_like(patch.get("headers"));
        field::patched(whole, patch, refused, |whole| read(whole, Some(former), reach))
    }

    /// Whether a patch may have asked for deliveries to an endpoint that had none.
    pub fn is_enabled_by(patch: &Value) -> bool {
        // `null` takes it back to what it is at first.
        patch.get("status").is_some_and(|status| status.is_null() || status == Status::Enabled.as_str())
    }
}

fn read(body: &Value, former: Option<&NewWebhook>, reach: &Reach) -> Result<NewWebhook, Vec<FieldError>> {
    let mut fields = Fields::of(body)?;
    fields.read_only(super::READ_ONLY);
    let kept = former.map(|former| former.headers.clone()).unwrap_or_default();
    let url = fields.need("url", |value| WebhookUrl::parse(string(value)?, reach));
    let events = events(&mut fields);
    let description = fields.take("description", line(500));
    let filter = fields.object("filter", Filter::read).flatten();
    let payload = fields.take("payload", word(Payload::parse, Payload::ALL)).unwrap_or(Payload::Full);
    let format = fields.take("format", word(Format::parse, Format::ALL)).unwrap_or(Format::Json);
    let headers = fields.object("headers", |value| Headers::read(value, &kept)).unwrap_or_default();
    let ordered = fields.take("ordered", flag).unwrap_or_default();
    let max_concurrency = fields.take("maxConcurrency", whole(1, 32)).unwrap_or(DEFAULT_CONCURRENCY);
    let rate_per_second = fields.take("ratePerSecond", whole(1, 1000));
    let retry_schedule = schedule(&mut fields);
    let sensitive = fields.take("sensitive", flag).unwrap_or_default();
    let ed25519 = fields.take("ed25519", flag).unwrap_or_default();
    let status = fields.take("status", |value| status(value, former)).unwrap_or(Status::Enabled);
    if !sensitive {
        for path in filter.iter().flat_map(Filter::sensitive_paths) {
            fields.fault(&format!("filter{}", field::pointer(path)), Fault::SensitivePath);
        }
    }
    fields.finish(url.map(|url| NewWebhook {
        url,
        events,
        description,
        filter,
        payload,
        format,
        headers,
        ordered,
        max_concurrency,
        rate_per_second,
        retry_schedule,
        sensitive,
        ed25519,
        status,
    }))
}

/// A list of event types and patterns, with at least one.
fn events(fields: &mut Fields<'_>) -> Vec<Pattern> {
    let list = fields.need("events", |value| {
        let list = value.as_array().ok_or(Fault::WrongType { expected: "list of event types" })?;
        match list.len() {
            0 => Err(Fault::Empty),
            1..=MOST_EVENTS => Ok(list),
            _ => Err(Fault::TooMany { max: MOST_EVENTS }),
        }
    });
    let mut events = Vec::new();
    for (at, value) in list.into_iter().flatten().enumerate() {
        let pattern = string(value).and_then(|text| {
            Pattern::parse(text).map_err(|near| Fault::UnknownEvent { near: near.to_owned() })
        });
        match pattern {
            Ok(pattern) => events.push(pattern),
            Err(fault) => fields.fault(&format!("events/{at}"), fault),
        }
    }
    events
}

/// The waits before each try. Only the first one may be none.
fn schedule(fields: &mut Fields<'_>) -> Option<Vec<i64>> {
    let list = fields.take("retrySchedule", |value| {
        let list = value.as_array().ok_or(Fault::WrongType { expected: "list of seconds" })?;
        match list.len() {
            0 => Err(Fault::Empty),
            1..=MOST_TRIES => Ok(list),
            _ => Err(Fault::TooMany { max: MOST_TRIES }),
        }
    })?;
    let mut waits = Vec::with_capacity(list.len());
    for (at, value) in list.iter().enumerate() {
        match whole(i64::from(at > 0), LONGEST_WAIT)(value) {
            Ok(wait) => waits.push(wait),
            Err(fault) => fields.fault(&format!("retrySchedule/{at}"), fault),
        }
    }
    if waits.iter().sum::<i64>() > LONGEST_SCHEDULE {
        fields.fault("retrySchedule", Fault::ScheduleTooLong { days: LONGEST_SCHEDULE / 86_400 });
    }
    Some(waits)
}

/// What a client may wish for; what is disabled may stay so.
fn status(value: &Value, former: Option<&NewWebhook>) -> Result<Status, Fault> {
    let refused = || Fault::NotAllowed { choices: "enabled, paused".to_owned() };
    match Status::parse(string(value)?).ok_or_else(refused)? {
        Status::Disabled if former.is_none_or(|former| former.status != Status::Disabled) => Err(refused()),
        status => Ok(status),
    }
}

/// How long the secret before a rotation signs too, in hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap(i64);

impl Overlap {
    /// Reads the body of a rotation: a day unless it says otherwise, a week at most, and none if the old secret got
    /// into wrong hands.
    pub fn parse(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let hours = fields.take("overlapHours", whole(0, 168)).unwrap_or(24);
        fields.finish(Some(Self(hours)))
    }

    /// The same in milliseconds.
    pub fn millis(self) -> i64 {
        self.0 * 3_600_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &Value) -> Result<NewWebhook, Vec<(String, &'static str)>> {
        NewWebhook::parse(body, &Reach::default()).map_err(own)
    }

    fn own(faults: Vec<FieldError>) -> Vec<(String, &'static str)> {
        faults.into_iter().map(|error| (error.pointer, error.fault.code())).collect()
    }

    fn minimal() -> Value {
        json!({ "url": "https://a.acme.com/", "events": ["employee.*"] })
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let body = json!({
            "url": "http://a.acme.com", "events": ["employee.*", "employe.created", 3], "description": " ",
            "filter": { "data.birthDate": ["x"], "data.nam": ["x"] }, "payload": "tiny", "format": "xml",
            "headers": { "Host": "x" }, "ordered": "yes", "maxConcurrency": 33, "ratePerSecond": 0,
            "retrySchedule": [0, 0, 86_401, "x"], "sensitive": 1, "ed25519": null, "status": "disabled",
            "id": "whk_1", "version": 1, "secret": "x", "event": [],
        });
        let mut faults = read(&body).expect_err("nearly all are wrong");
        faults.sort();
        let expected = [
            ("/description", "empty"),
            ("/event", "unknown_field"),
            ("/events/1", "unknown_event"),
            ("/events/2", "wrong_type"),
            ("/filter/data.nam", "unknown_path"),
            ("/format", "not_allowed"),
            ("/headers/Host", "forbidden_header"),
            ("/id", "read_only"),
            ("/maxConcurrency", "out_of_range"),
            ("/ordered", "wrong_type"),
            ("/payload", "not_allowed"),
            ("/ratePerSecond", "out_of_range"),
            ("/retrySchedule/1", "out_of_range"),
            ("/retrySchedule/2", "out_of_range"),
            ("/retrySchedule/3", "wrong_type"),
            ("/secret", "read_only"),
            ("/sensitive", "wrong_type"),
            ("/status", "not_allowed"),
            ("/url", "invalid_url"),
            ("/version", "read_only"),
        ];
        assert_eq!(faults, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
        for (name, value, pointer, code) in [
            ("events", json!([]), "/events", "empty"),
            ("events", json!(vec!["*"; 51]), "/events", "too_many"),
            ("events", json!("*"), "/events", "wrong_type"),
            ("events", json!(null), "/events", "required"),
            ("retrySchedule", json!([]), "/retrySchedule", "empty"),
            ("retrySchedule", json!(vec![1; 21]), "/retrySchedule", "too_many"),
            ("retrySchedule", json!(60), "/retrySchedule", "wrong_type"),
            ("retrySchedule", json!(vec![86_400; 6]), "/retrySchedule", "schedule_too_long"),
            ("filter", json!([]), "/filter", "wrong_type"),
            ("headers", json!("x"), "/headers", "wrong_type"),
            ("filter", json!({ "data.gender": ["female"] }), "/filter/data.gender", "sensitive_path"),
        ] {
            let mut body = minimal();
            body[name] = value;
            assert_eq!(read(&body).expect_err(name), [(pointer.to_owned(), code)]);
        }
    }

    #[test]
    fn a_patch_changes_what_it_names_and_a_null_brings_back_the_default() {
        let mut whole = minimal();
        for (name, value) in [
            ("filter", json!({ "data.department": ["Ventas"], "data.status": ["active"] })),
            ("headers", json!({ "X-Team": "people" })),
            ("payload", json!("thin")),
            ("retrySchedule", json!([0, 60])),
            ("ratePerSecond", json!(5)),
            ("status", json!("paused")),
        ] {
            whole[name] = value;
        }
        let former = read(&whole).expect("valid");
        let patched = |patch: Value| NewWebhook::patched(&former, &patch, &Reach::default());
        assert_eq!(json!(patched(json!({})).expect("valid")), json!(former));
        let patch = json!({
            "filter": { "data.status": null }, "headers": { "x-TEAM": null }, "payload": null, "retrySchedule": null,
            "ratePerSecond": null, "status": "enabled", "ordered": true,
        });
        let mut expected = json!(read(&minimal()).expect("valid"));
        expected["filter"] = json!({ "data.department": ["Ventas"] });
        expected["ordered"] = json!(true);
        assert_eq!(json!(patched(patch).expect("valid")), expected);
        let refused = patched(json!({ "version": 3, "uri": "x", "events": null, "publicKey": null }));
        let mut faults = own(refused.expect_err("all of it is wrong"));
        faults.sort();
        let expected = [
            ("/events", "required"),
            ("/publicKey", "read_only"),
            ("/uri", "unknown_field"),
            ("/version", "read_only"),
        ];
        assert_eq!(faults, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn only_the_server_disables() {
        let mut former = read(&minimal()).expect("valid");
        assert!(NewWebhook::patched(&former, &json!({ "status": "disabled" }), &Reach::default()).is_err());
        former.status = Status::Disabled;
        for (patch, status) in [
            (json!({}), Status::Disabled),
            (json!({ "status": "disabled" }), Status::Disabled),
            (json!({ "status": "paused" }), Status::Paused),
            (json!({ "status": "enabled" }), Status::Enabled),
        ] {
            assert_eq!(
                NewWebhook::patched(&former, &patch, &Reach::default()).expect("valid").status,
                status,
                "{patch}"
            );
        }
    }

    #[test]
    fn an_overlap_is_a_day_unless_it_is_said() {
        for (body, hours) in
            [(json!({}), 24), (json!({ "overlapHours": 0 }), 0), (json!({ "overlapHours": 168 }), 168)]
        {
            assert_eq!(Overlap::parse(&body).expect("valid").millis(), hours * 3_600_000);
        }
        for (body, pointer, code) in [
            (json!({ "overlapHours": 169 }), "/overlapHours", "out_of_range"),
            (json!({ "overlapHours": "1" }), "/overlapHours", "wrong_type"),
            (json!({ "overlap": 1 }), "/overlap", "unknown_field"),
            (json!([]), "", "wrong_type"),
        ] {
            assert_eq!(own(Overlap::parse(&body).expect_err(code)), [(pointer.to_owned(), code)]);
        }
    }

    proptest! {
        #[test]
        fn a_schedule_that_is_read_keeps_its_bounds(waits in prop::collection::vec(-1_i64..100_000, 0..25)) {
            let mut body = minimal();
            body["retrySchedule"] = json!(waits);
            let fits = (1..=20).contains(&waits.len())
                && waits.iter().enumerate().all(|(at, wait)| (i64::from(at > 0)..=86_400).contains(wait))
                && waits.iter().sum::<i64>() <= 432_000;
            prop_assert_eq!(read(&body).ok().map(|new| new.retry_schedule), fits.then_some(Some(waits)));
        }
    }
}
