//! What of an event is sent, and in which form: the same bytes at every attempt.

use serde_json::{Map, Value, json};

use super::words::{Format, Payload};
use crate::Timestamp;
use crate::event::envelope;

/// An event as an endpoint may see it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'e> {
    /// Its id.
    pub id: &'e str,
    /// What it tells of.
    pub kind: &'e str,
    /// When it happened.
    pub at: Timestamp,
    /// Its place in the company's log.
    pub sequence: i64,
    /// The rest of its envelope, as JSON.
    pub payload: &'e str,
}

/// The body of a delivery.
pub fn body(event: Told<'_>, payload: Payload, format: Format) -> String {
    let Told { id, kind, at, sequence, payload: whole } = event;
    if (payload, format) == (Payload::Full, Format::Json) {
        return envelope(id, kind, at, sequence, whole);
    }
    let mut parts: Map<String, Value> = serde_json::from_str(whole).unwrap_or_default();
    if payload == Payload::Thin {
        parts.retain(|name, _| name != "changed" && name != "previous");
        if let Some(data) = parts.get_mut("data") {
            *data = json!({ "id": data["id"] });
        }
    }
    match format {
        Format::Json => envelope(id, kind, at, sequence, &Value::Object(parts).to_string()),
        Format::CloudEvents => cloud_event(event, parts).to_string(),
    }
}

/// The event by CloudEvents 1.0.2 §3, with the extension `sequence` (which is a text that sorts as it counts) and
/// what else of the envelope an attribute can hold. `previous` is in the other format only: an attribute is never an
/// object.
fn cloud_event(event: Told<'_>, mut parts: Map<String, Value>) -> Value {
    let mut take = |name: &str| parts.remove(name).unwrap_or_default();
    let (company, actor, changed, data) = (take("companyId"), take("actor"), take("changed"), take("data"));
    let mut told = json!({
        "specversion": "1.0",
        "id": event.id,
        "source": format!("urn:orquiva:{}", company.as_str().unwrap_or_default()),
        "type": format!("com.orquiva.{}", event.kind),
        "subject": data["id"],
        "time": event.at,
        "datacontenttype": "application/json",
        "sequence": format!("{:020}", event.sequence),
        "companyid": company,
        "apiversion": take("apiVersion"),
        "actortype": actor["type"],
    });
    if let Some(client) = actor.get("id") {
        told["actorid"] = client.clone();
    }
    if let Value::Array(names) = changed {
        let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
        told["changed"] = json!(names.join(","));
    }
    told["data"] = data;
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"apiVersion":"v1","companyId":"cmp_1","actor":{"type":"client","id":"cli_1"},"data":{"id":"emp_1","fullName":"Ana"},"changed":["fullName","email"],"previous":{"fullName":"Ann"}}"#;

    fn sent(payload: Payload, format: Format) -> String {
        let told = Told {
            id: "evt_1",
            kind: "employee.updated",
            at: Timestamp::from_millis(1_767_225_600_000),
            sequence: 7,
            payload: WHOLE,
        };
        body(told, payload, format)
    }

    #[test]
    fn a_full_body_is_the_envelope_and_a_thin_one_says_what_happened_to_what() {
        let start = r#"{"id":"evt_1","type":"employee.updated","timestamp":"2026-01-01T00:00:00.000Z","sequence":7,"apiVersion":"v1","companyId":"cmp_1","actor":{"type":"client","id":"cli_1"},"data":"#;
        let full = r#"{"id":"emp_1","fullName":"Ana"},"changed":["fullName","email"],"previous":{"fullName":"Ann"}}"#;
        assert_eq!(sent(Payload::Full, Format::Json), format!("{start}{full}"));
        assert_eq!(sent(Payload::Thin, Format::Json), format!(r#"{start}{{"id":"emp_1"}}}}"#));
    }

    #[test]
    fn a_cloud_event_has_every_attribute_of_the_standard_and_only_plain_extensions() {
        let event: Value = serde_json::from_str(&sent(Payload::Full, Format::CloudEvents)).expect("JSON");
        let expected = json!({
            "specversion": "1.0", "id": "evt_1", "source": "urn:orquiva:cmp_1", "type": "com.orquiva.employee.updated",
            "subject": "emp_1", "time": "2026-01-01T00:00:00.000Z", "datacontenttype": "application/json",
            "sequence": "00000000000000000007", "companyid": "cmp_1", "apiversion": "v1", "actortype": "client",
            "actorid": "cli_1", "changed": "fullName,email", "data": { "id": "emp_1", "fullName": "Ana" },
        });
        assert_eq!(event, expected);
        for (name, value) in event.as_object().expect("an object").iter().filter(|(name, _)| *name != "data")
        {
            let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            assert!(plain && name.len() <= 20 && value.is_string(), "{name} (CloudEvents 1.0.2 §3.1)");
        }
        let thin: Value = serde_json::from_str(&sent(Payload::Thin, Format::CloudEvents)).expect("JSON");
        assert_eq!((&thin["data"], thin.get("changed")), (&json!({ "id": "emp_1" }), None));
    }
}
