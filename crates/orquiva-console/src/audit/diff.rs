//! What changed between what was there and what is there now, field by field.

use orquiva_core::Language;
use serde_json::{Map, Value};

/// What changes with every change and tells nothing.
const QUIET: [&str; 2] = ["version", "updatedAt"];

/// Most characters that are shown of a value.
const LONGEST: usize = 400;

/// One field that changed; nothing stands for what was not there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its name, with a dot between those of fields in fields.
    pub(crate) path: String,
    /// What it was.
    pub(crate) before: Option<String>,
    /// What it is.
    pub(crate) after: Option<String>,
}

/// The fields that differ; of what is new or gone, those that say something.
pub(crate) fn changes(before: Option<&str>, after: Option<&str>, language: Language) -> Vec<Change> {
    let read =
        |text: Option<&str>| text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    let (before, after) = (read(before), read(after));
    let mut found = Vec::new();
    compare("", &before, &after, language, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, language: Language, found: &mut Vec<Change>) {
    let none = Map::new();
    match (before, after) {
        (Value::Object(_) | Value::Null, Value::Object(_) | Value::Null) => {
            let (was, now) = (before.as_object().unwrap_or(&none), after.as_object().unwrap_or(&none));
            let gone = was.iter().filter(|(name, _)| !now.contains_key(*name));
            for (name, _) in now.iter().chain(gone) {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let side = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or(Value::Null);
                if !(path.is_empty() && QUIET.contains(&name.as_str())) {
                    compare(&inner, &side(was), &side(now), language, found);
                }
            }
        }
        // What is hidden is there only if it changed.
        (before, after) if before != after || before == "***" => {
            let change = |value: &Value| text(value, language);
            let (before, after) = (change(before), change(after));
            if before.is_some() || after.is_some() {
                found.push(Change { path: path.to_owned(), before, after });
            }
        }
        (_, _) => {}
    }
}

/// A value as it is read; nothing for one that is empty.
fn text(value: &Value, language: Language) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::Bool(true) => language.pick("sí", "yes").to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text == "***" => {
            language.pick("(dato protegido)", "(protected data)").to_owned()
        }
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            items.iter().filter_map(|item| text_of_item(item, language)).collect::<Vec<_>>().join(", ")
        }
        Value::Object(_) => value.to_string(),
    };
    match text.chars().nth(LONGEST) {
        _ if text.is_empty() => None,
        None => Some(text),
        Some(_) => Some(text.chars().take(LONGEST).chain(['…']).collect()),
    }
}

fn text_of_item(item: &Value, language: Language) -> Option<String> {
    match item {
        Value::Object(_) | Value::Array(_) => Some(item.to_string()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text(item, language),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: Option<&str>, after: Option<&str>) -> Vec<(String, String, String)> {
        let own = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
        let changes = changes(before, after, Language::English).into_iter();
        changes.map(|one| (one.path, own(one.before), own(one.after))).collect()
    }

    fn line(path: &str, before: &str, after: &str) -> (String, String, String) {
        (path.to_owned(), before.to_owned(), after.to_owned())
    }

    #[test]
    fn only_what_differs_is_told() {
        let before =
            r#"{"name":"a","version":1,"list":["x"],"in":{"deep":1,"same":2},"gone":true,"empty":null}"#;
        let after =
            r#"{"name":"b","version":2,"list":["x","y"],"in":{"deep":3,"same":2},"new":"n","empty":null}"#;
        let expected = [
            line("name", "a", "b"),
            line("list", "x", "x, y"),
            line("in.deep", "1", "3"),
            line("new", "-", "n"),
            line("gone", "yes", "-"),
        ];
        assert_eq!(shown(Some(before), Some(after)), expected);
        assert_eq!(shown(Some(before), Some(before)), []);
    }

    #[test]
    fn of_what_is_new_or_gone_all_that_says_something_is_told() {
        let only = r#"{"name":"a","empty":null,"none":[],"blank":"","version":1}"#;
        assert_eq!(shown(None, Some(only)), [line("name", "-", "a")]);
        assert_eq!(shown(Some(only), None), [line("name", "a", "-")]);
        assert_eq!(shown(None, None), []);
    }

    #[test]
    fn what_is_protected_is_told_to_have_changed() {
        let hidden = r#"{"birthDate":"***"}"#;
        assert_eq!(
            shown(Some(hidden), Some(hidden)),
            [line("birthDate", "(protected data)", "(protected data)")]
        );
    }
}
