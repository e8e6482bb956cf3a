//! An event as lines of JSON, with what changed marked.

use serde_json::{Map, Value, json};

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// How far it is moved in.
    pub(crate) depth: usize,
    pub(crate) text: String,
    pub(crate) mark: Mark,
}

/// Whether a line is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It is.
    Same,
    /// This is there now.
    New,
    /// This was there before.
    Former,
}

/// The lines of an event. A field of `data` that changed is marked, with what it was before; `previous` is told there.
pub(crate) fn lines(event: &Value) -> Vec<Line> {
    let mut lines = Vec::new();
    let none = Map::new();
    let fields = event.as_object().unwrap_or(&none);
    let changed: Vec<_> =
        event["changed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let previous = event["previous"].as_object();
    let shown: Vec<_> = fields.iter().filter(|(name, _)| *name != "previous").collect();
    let mut put = |depth, text: String, mark| lines.push(Line { depth, text, mark });
    put(0, "{".to_owned(), Mark::Same);
    for (at, (name, value)) in shown.iter().enumerate() {
        let end = if at + 1 < shown.len() { "," } else { "" };
        match value.as_object().filter(|_| *name == "data") {
            Some(data) => {
                put(1, "\"data\": {".to_owned(), Mark::Same);
                for (at, (field, value)) in data.iter().enumerate() {
                    let end = if at + 1 < data.len() { "," } else { "" };
                    let is_changed = changed.contains(&field.as_str());
                    if let Some(former) =
                        previous.and_then(|previous| previous.get(field)).filter(|_| is_changed)
                    {
                        print(&mut put, 2, field, former, end, Mark::Former);
                    }
                    print(&mut put, 2, field, value, end, if is_changed { Mark::New } else { Mark::Same });
                }
                put(1, format!("}}{end}"), Mark::Same);
            }
            None => print(&mut put, 1, name, value, end, Mark::Same),
        }
    }
    put(0, "}".to_owned(), Mark::Same);
    lines
}

/// A field, over as many lines as its value has.
fn print(
    put: &mut impl FnMut(usize, String, Mark),
    depth: usize,
    name: &str,
    value: &Value,
    end: &str,
    mark: Mark,
) {
    let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
    let last = pretty.lines().count();
    for (at, line) in pretty.lines().enumerate() {
        let inner = line.trim_start_matches(' ');
        let depth = depth + (line.len() - inner.len()) / 2;
        let name = if at == 0 { format!("{}: ", json!(name)) } else { String::new() };
        let end = if at + 1 == last { end } else { "" };
        put(depth, format!("{name}{inner}{end}"), mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_marked_beside_what_it_was() {
        let event = json!({
            "id": "evt_1", "type": "employee.updated",
            "data": { "id": "emp_1", "email": "a@b", "external_refs": { "sap": "1" } },
            "changed": ["email", "external_refs"], "previous": { "email": "x@b", "external_refs": {} },
        });
        let told: Vec<_> = lines(&event).into_iter().map(|line| (line.depth, line.text, line.mark)).collect();
        let of = |mark: Mark| {
            told.iter().filter(|line| line.2 == mark).map(|line| line.1.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(Mark::Former), ["\"email\": \"x@b\",", "\"external_refs\": {}"]);
        assert_eq!(of(Mark::New), ["\"email\": \"a@b\",", "\"external_refs\": {", "\"sap\": \"1\"", "}"]);
        let now: String =
            told.iter().filter(|line| line.2 != Mark::Former).map(|line| line.1.as_str()).collect();
        let mut whole = event.clone();
        whole.as_object_mut().unwrap().remove("previous");
        assert_eq!(serde_json::from_str::<Value>(&now).unwrap(), whole, "without what was, it is the event");
    }
}
