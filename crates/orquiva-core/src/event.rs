//! What happened, as the log, the list and the webhooks tell it: one envelope, written once.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::Timestamp;
use crate::employee::SENSITIVE;
use crate::id::{ClientId, EventId, UserId};
use crate::text::nearest;

/// The version of the API whose shapes an event's `data` has.
pub const API_VERSION: &str = "v1";

macro_rules! types {
    ($(#[doc = $what:literal] $name:ident $text:literal,)*) => {
        /// What an event tells of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EventType { $(#[doc = $what] $name,)* }

        impl EventType {
            /// Every type, as it stands in JSON.
            pub const ALL: &'static [&'static str] = &[$($text,)*];

            /// Every type, for the reference.
            pub const EACH: &'static [Self] = &[$(Self::$name,)*];

            /// What an event of this type tells, for the reference.
            pub fn what(self) -> &'static str {
                match self { $(Self::$name => $what.trim_ascii(),)* }
            }

            /// As it stands in JSON and SQL.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

types! {
    /// Someone was hired.
    EmployeeCreated "employee.created",
    /// An employee changed.
    EmployeeUpdated "employee.updated",
    /// An employee was removed.
    EmployeeDeleted "employee.deleted",
    /// The first day of someone who was hired or rehired ahead has come.
    EmployeeStarted "employee.started",
    /// The last day of an employment was decided and lies ahead.
    EmployeeTerminationScheduled "employee.termination_scheduled",
    /// An employment has ended.
    EmployeeTerminated "employee.terminated",
    /// The end that lay ahead was cancelled.
    EmployeeTerminationCancelled "employee.termination_cancelled",
    /// Someone who had left was taken on again.
    EmployeeRehired "employee.rehired",
    /// A department came into being.
    DepartmentCreated "department.created",
    /// A department changed.
    DepartmentUpdated "department.updated",
    /// A department was removed.
    DepartmentDeleted "department.deleted",
    /// An endpoint has failed for some time, and is disabled if it goes on.
    WebhookFailing "webhook_endpoint.failing",
    /// An endpoint was disabled: it answered 410, or had no success for five days.
    WebhookDisabled "webhook_endpoint.disabled",
    /// Someone asked for a delivery to look at. It goes to the one endpoint that it tells of.
    WebhookTest "webhook.test",
}

/// Who caused an event. A client finds its own writes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Actor {
    /// An API client.
    Client {
        /// Its `client_id`.
        id: ClientId,
    },
    /// Someone in the console.
    User {
        /// Their id.
        id: UserId,
    },
    /// Orquiva itself.
    System,
}

impl Actor {
    /// What kind of actor it is, as it stands in JSON and SQL.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Client { .. } => "client",
            Self::User { .. } => "user",
            Self::System => "system",
        }
    }

    /// Its id, if it has one.
    pub fn id(self) -> Option<String> {
        match self {
            Self::Client { id } => Some(id.to_string()),
            Self::User { id } => Some(id.to_string()),
            Self::System => None,
        }
    }
}

/// An event before it has its place in the log: `sequence` is given when it is routed.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its id: receivers drop duplicates by it.
    pub id: EventId,
    /// What it tells of.
    pub kind: EventType,
    /// The id of the resource that it tells of.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// All that the envelope says after `sequence`, as JSON: `apiVersion`, `companyId`, `actor`, `data`, `changed`, `previous`.
    pub payload: String,
    /// What of `data` and `previous` only some may see, as JSON of the same two names; nothing if there is nothing.
    pub sensitive: Option<String>,
}

/// The whole event as one JSON text, the same bytes at every reading and every attempt.
pub fn envelope(id: &str, kind: &str, at: Timestamp, sequence: i64, payload: &str) -> String {
    let rest = payload.strip_prefix('{').unwrap_or(payload);
    format!(r#"{{"id":"{id}","type":"{kind}","timestamp":"{at}","sequence":{sequence},{rest}"#)
}

/// The payload for someone who may see what is sensitive: `data` and `previous` with those fields put in.
/// An event about something that has none stays as it is.
pub fn with_sensitive(kind: &str, payload: &str, sensitive: Option<&str>) -> String {
    let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
    let (true, Some(mut payload_map)) = (kind.starts_with("employee."), read(payload)) else {
        return payload.to_owned();
    };
    let hidden = sensitive.and_then(read).unwrap_or_default();
    if let Some(Value::Object(data)) = payload_map.get_mut("data") {
        data.extend(SENSITIVE.iter().map(|name| ((*name).to_owned(), Value::Null)));
    }
    for (part, fields) in hidden {
        if let (Some(Value::Object(shown)), Value::Object(fields)) = (payload_map.get_mut(&part), fields) {
            shown.extend(fields);
        }
    }
    Value::Object(payload_map).to_string()
}

/// Whether a payload shows values of fields that a company has added.
pub fn shows_custom_values(payload: &str) -> bool {
    payload.contains(r#""customFields":{""#)
}

/// Payload and sensitive part of an event once the values of these fields of the company's own are hidden too: they have
/// become sensitive after the event was written. Nothing if none of them is shown.
pub fn concealed(payload: &str, sensitive: Option<&str>, slugs: &[String]) -> Option<(String, String)> {
    let mut shown: Map<String, Value> = serde_json::from_str(payload).ok()?;
    let mut hidden: Map<String, Value> =
        sensitive.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let mut found = false;
    for part in ["data", "previous"] {
        let Some(Value::Object(values)) = shown.get_mut(part).and_then(|part| part.get_mut("customFields"))
        else {
            continue;
        };
        if !slugs.iter().any(|slug| values.contains_key(slug)) {
            continue;
        }
        found = true;
        let all = Value::Object(values.clone());
        values.retain(|slug, _| !slugs.contains(slug));
        let part = hidden.entry(part).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(part) = part {
            part.entry("customFields").or_insert(all);
        }
    }
    found.then(|| (Value::Object(shown).to_string(), Value::Object(hidden).to_string()))
}

/// What an endpoint is subscribed to: a type, all types of a resource (`employee.*`), or all (`*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Reads a pattern; one that can match nothing is refused with the nearest type.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let resource = text.strip_suffix('*').filter(|resource| resource.ends_with('.'));
        let can_match = match resource {
            Some(resource) => EventType::ALL.iter().any(|kind| kind.starts_with(resource)),
            None => text == "*" || EventType::ALL.contains(&text),
        };
        match can_match {
            true => Ok(Self(text.to_owned())),
            false => Err(nearest(text, EventType::ALL.iter().copied()).unwrap_or("employee.*")),
        }
    }

    /// Whether an event of type `kind` is meant.
    pub fn matches(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => self.0 == kind,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The types that a reader of the log asks for; what is asked by a pattern is spelt out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types(Vec<&'static str>);

impl Types {
    /// Reads patterns parted by commas; one that can match nothing is refused with the nearest type.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let patterns: Vec<_> =
            text.split(',').map(|part| Pattern::parse(part.trim())).collect::<Result<_, _>>()?;
        let asked = |kind: &&&str| patterns.iter().any(|pattern| pattern.matches(kind));
        Ok(Self(EventType::ALL.iter().filter(asked).copied().collect()))
    }

    /// All that `patterns` match, of `asked` if that is not everything. What was sent on trial is not told again.
    pub fn matching(patterns: &[Pattern], asked: Option<&Self>) -> Self {
        let is_meant = |kind: &&&str| {
            **kind != EventType::WebhookTest.as_str()
                && patterns.iter().any(|pattern| pattern.matches(kind))
                && asked.is_none_or(|asked| asked.have(kind))
        };
        Self(EventType::ALL.iter().filter(is_meant).copied().collect())
    }

    /// Whether these are all that can be told again.
    pub fn are_all(&self) -> bool {
        self.0.len() == EventType::ALL.len()
    }

    /// Each of them, once.
    pub fn each(&self) -> &[&'static str] {
        &self.0
    }

    /// Whether an event of type `kind` was asked for.
    pub fn have(&self, kind: &str) -> bool {
        self.0.contains(&kind)
    }
}

/// Reads the patterns of a subscription as they are stored: a JSON list of texts.
pub fn patterns(stored: &str) -> Vec<Pattern> {
    match serde_json::from_str(stored) {
        Ok(Value::Array(patterns)) => {
            patterns.iter().filter_map(|pattern| Pattern::parse(pattern.as_str()?).ok()).collect()
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_a_field_that_has_become_sensitive_move_to_the_hidden_part_and_come_back_for_who_may_see_it()
    {
        let told = json!({
            "data": { "id": "emp_1", "customFields": { "badge": "B1", "shirt": "M" } },
            "changed": ["customFields"], "previous": { "customFields": { "shirt": "L" } },
        });
        let payload = told.to_string();
        let slugs = |slugs: &[&str]| slugs.iter().map(|slug| (*slug).to_owned()).collect::<Vec<_>>();
        assert!(shows_custom_values(&payload));
        assert_eq!(concealed(&payload, None, &slugs(&["other"])), None);
        let (open, hidden) = concealed(&payload, None, &slugs(&["badge", "shirt"])).expect("both are shown");
        assert!(!open.contains("B1") && !open.contains("\"M\"") && !open.contains("\"L\""), "{open}");
        let whole: Value =
            serde_json::from_str(&with_sensitive("employee.updated", &open, Some(&hidden))).expect("JSON");
        assert_eq!(whole["data"]["customFields"], told["data"]["customFields"]);
        assert_eq!(whole["previous"], told["previous"]);
        let known = r#"{"data":{"gender":"female","customFields":{"badge":"B1","shirt":"M","secret":7}}}"#;
        let (open, hidden) = concealed(&payload, Some(known), &slugs(&["badge"])).expect("it is shown");
        let whole: Value =
            serde_json::from_str(&with_sensitive("employee.updated", &open, Some(&hidden))).expect("JSON");
        assert_eq!(whole["data"]["customFields"], json!({ "badge": "B1", "shirt": "M", "secret": 7 }));
        assert_eq!(whole["data"]["gender"], "female");
    }

    #[test]
    fn a_pattern_matches_its_type_its_resource_or_all() {
        for (pattern, kind, matches) in [
            ("employee.created", "employee.created", true),
            ("employee.created", "employee.updated", false),
            ("employee.*", "employee.deleted", true),
            ("employee.*", "department.created", false),
            ("*", "department.created", true),
        ] {
            assert_eq!(
                Pattern::parse(pattern).expect("a known pattern").matches(kind),
                matches,
                "{pattern} {kind}"
            );
        }
        assert_eq!(Pattern::parse("employe.created"), Err("employee.created"));
        assert!(Pattern::parse("salary.*").is_err());
        assert!(Pattern::parse("employee*").is_err());
        assert!(Pattern::parse("").is_err());
    }

    #[test]
    fn types_are_spelt_out_each_once() {
        let types = Types::parse("employee.*, employee.created,department.created").expect("known types");
        assert!(types.have("employee.deleted") && types.have("department.created"));
        assert!(!types.have("webhook_endpoint.disabled"));
        assert_eq!(types.each().iter().filter(|kind| **kind == "employee.created").count(), 1);
        assert_eq!(Types::parse("*").map(|all| all.0.len()), Ok(EventType::ALL.len()));
        assert_eq!(Types::parse("employee.created,employe.deleted"), Err("employee.deleted"));
        assert!(Types::parse("employee.created,").is_err());
    }

    #[test]
    fn an_envelope_is_whole_json() {
        let text = envelope(
            "evt_1",
            "employee.created",
            Timestamp::from_millis(0),
            7,
            r#"{"apiVersion":"v1","data":{}}"#,
        );
        let value: Value = serde_json::from_str(&text).expect("an envelope is JSON");
        assert_eq!((value["sequence"].as_i64(), &value["apiVersion"]), (Some(7), &Value::from("v1")));
    }
}
