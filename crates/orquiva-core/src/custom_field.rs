//! Fields that a company adds to its employees: how each is called, and which values it takes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::Timestamp;
use crate::field::{self, Fault, FieldError, Fields, date, flag, line, string, word};
use crate::words::words;

/// Most fields that a company may add.
pub const MAX_FIELDS: i64 = 100;

/// Most choices of a field.
const MAX_CHOICES: usize = 200;

/// Most characters of a text.
const MAX_TEXT: usize = 500;

/// Values by slug.
pub type Values = BTreeMap<String, Value>;

/// The values of an employee. In JSON it is the open ones; the others are put in for someone who may see them.
#[derive(Clone, Default, PartialEq)]
pub struct CustomValues {
    /// Those that everyone sees who sees the employee.
    pub open: Values,
    /// Those that only some may see.
    pub sensitive: Values,
}

/// A field that a company has added.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomField {
    /// What the client writes.
    #[serde(flatten)]
    pub shape: NewCustomField,
    /// Counts the changes, from 1; the `ETag` shows it.
    pub version: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The part of a field that a client writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewCustomField {
    /// Its name in JSON, which never changes.
    pub slug: String,
    /// Its name for people.
    pub label: String,
    /// Which values it takes; this never changes either.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// What there is to choose from, where it is chosen.
    pub choices: Option<Vec<String>>,
    /// Whether its values are shown only to those who may see what is sensitive.
    pub sensitive: bool,
}

words! {
    /// Which values a field takes.
    FieldType {
        /// A text of one line.
        Text "text",
        /// A number.
        Number "number",
        /// Yes or no.
        Boolean "boolean",
        /// A day.
        Date "date",
        /// One of its choices.
        Choice "choice",
    }
}

impl NewCustomField {
    /// Reads what a client sent to add a field.
    pub fn parse(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        fields.read_only(READ_ONLY);
        let slug = fields.need("slug", slug);
        let label = fields.need("label", line(100));
        let kind = fields.need("type", word(FieldType::parse, FieldType::ALL));
        let choices = choices(&mut fields, kind);
        let sensitive = fields.take("sensitive", flag).unwrap_or_default();
        let needed = slug.zip(label).zip(kind);
        fields.finish(needed.map(|((slug, label), kind)| Self { slug, label, kind, choices, sensitive }))
    }

    /// Reads what `former` becomes under a merge patch (RFC 7396).
    pub fn patched(former: &Self, patch: &Value) -> Result<Self, Vec<FieldError>> {
        let refused = |name: &str| match name {
            "slug" | "type" => Some(Fault::Immutable),
            known if WRITABLE.contains(&known) => None,
            known if READ_ONLY.contains(&known) => Some(Fault::ReadOnly),
            unknown => Some(field::unknown(unknown, WRITABLE)),
        };
        field::patched(json!(former), patch, refused, Self::parse)
    }

    /// Reads a value of this field.
    fn value(&self, value: &Value) -> Result<Value, Fault> {
        match self.kind {
            FieldType::Text => line(MAX_TEXT)(value).map(Value::from),
            FieldType::Number if value.is_number() => Ok(value.clone()),
            FieldType::Number => Err(Fault::WrongType { expected: "number" }),
            FieldType::Boolean => flag(value).map(Value::from),
            FieldType::Date => date(value).map(|day| json!(day)),
            FieldType::Choice => {
                let text = string(value)?;
                let choices = self.choices.as_deref().unwrap_or_default();
                match choices.iter().any(|choice| choice == text) {
                    true => Ok(text.into()),
                    false => Err(Fault::NotAllowed { choices: choices.join(", ") }),
                }
            }
        }
    }
}

impl CustomValues {
    /// All of them, for someone who may see them.
    pub fn all(&self) -> Values {
        self.open.iter().chain(&self.sensitive).map(|(slug, value)| (slug.clone(), value.clone())).collect()
    }

    /// Sorts values by the fields that they are of.
    pub fn of(values: Values, fields: &[CustomField]) -> Self {
        let is_sensitive =
            |slug: &str| fields.iter().any(|field| field.shape.slug == slug && field.shape.sensitive);
        let (sensitive, open) = values.into_iter().partition(|(slug, _)| is_sensitive(slug));
        Self { open, sensitive }
    }

    /// Takes away the value of a field.
    pub fn remove(&mut self, slug: &str) {
        self.open.remove(slug);
        self.sensitive.remove(slug);
    }

    /// Puts the value of a field where only some see it, or where everyone does.
    pub fn move_to(&mut self, slug: &str, sensitive: bool) {
        let (from, to) = match sensitive {
            true => (&mut self.open, &mut self.sensitive),
            false => (&mut self.sensitive, &mut self.open),
        };
        to.extend(from.remove_entry(slug));
    }
}

impl Serialize for CustomValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.open.serialize(serializer)
    }
}

/// A value never gets into a log by way of a debugging format.
impl fmt::Debug for CustomValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomValues({} open, {} sensitive)", self.open.len(), self.sensitive.len())
    }
}

impl CustomField {
    /// The strong `ETag` of this version (RFC 9110 §8.8.3).
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }
}

/// The values that `wanted` names, each read by its field; those that are null are not there. With one fault for
/// each that has no field, or that its field does not take.
pub fn read(wanted: &Values, fields: &[CustomField]) -> Result<Values, Vec<FieldError>> {
    let mut values = Values::new();
    let mut faults = Vec::new();
    for (slug, value) in wanted {
        let mut shapes = fields.iter().map(|field| &field.shape);
        let read = match shapes.find(|shape| shape.slug == *slug) {
            Some(_) if value.is_null() => continue,
            Some(shape) => shape.value(value),
            None => {
                Err(field::unknown(slug, &fields.iter().map(|field| &*field.shape.slug).collect::<Vec<_>>()))
            }
        };
        match read {
            Ok(value) => drop(values.insert(slug.clone(), value)),
            Err(fault) => {
                faults.push(FieldError { pointer: format!("/customFields{}", field::pointer(slug)), fault });
            }
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

/// What a client may change.
const WRITABLE: &[&str] = &["label", "choices", "sensitive"];

/// What the server alone writes.
const READ_ONLY: &[&str] = &["version", "createdAt", "updatedAt"];

/// A letter, then up to 39 letters, digits and `_`, all lower case.
fn slug(value: &Value) -> Result<String, Fault> {
    let text = string(value)?;
    let valid = text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text.len() <= 40
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    valid.then(|| text.to_owned()).ok_or(Fault::InvalidSlug)
}

/// The choices, which a field to choose in needs and no other one has.
fn choices(fields: &mut Fields<'_>, kind: Option<FieldType>) -> Option<Vec<String>> {
    let entries = fields.take("choices", |value| {
        let entries = value.as_array().ok_or(Fault::WrongType { expected: "list of texts" })?;
        match (kind, entries.len()) {
            (Some(FieldType::Choice) | None, 1..=MAX_CHOICES) => Ok(entries),
            (Some(FieldType::Choice) | None, 0) => Err(Fault::Empty),
            (Some(FieldType::Choice) | None, _) => Err(Fault::TooMany { max: MAX_CHOICES }),
            (Some(_), _) => Err(Fault::NothingToChoose),
        }
    });
    if kind == Some(FieldType::Choice) && !fields.has("choices") {
        fields.fault("choices", Fault::Required);
    }
    let mut read = Vec::new();
    for (at, entry) in entries?.iter().enumerate() {
        match line(100)(entry) {
            Ok(choice) if read.contains(&choice) => {
                fields.fault(&format!("choices/{at}"), Fault::RepeatedEntry);
            }
            Ok(choice) => read.push(choice),
            Err(fault) => fields.fault(&format!("choices/{at}"), fault),
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stored(shape: NewCustomField) -> [CustomField; 1] {
        let at = Timestamp::from_millis(0);
        [CustomField { shape, version: 1, created_at: at, updated_at: at }]
    }

    fn values(body: Value) -> Values {
        body.as_object().expect("an object").clone().into_iter().collect()
    }

    fn field(kind: &str) -> NewCustomField {
        let mut body = json!({ "slug": "x", "label": "X", "type": kind });
        if kind == "choice" {
            body["choices"] = json!(["S", "M", "L"]);
        }
        NewCustomField::parse(&body).expect("valid")
    }

    fn faults<T: std::fmt::Debug>(read: Result<T, Vec<FieldError>>) -> Vec<(String, &'static str)> {
        let faults = read.expect_err("refused");
        let mut faults: Vec<_> =
            faults.into_iter().map(|error| (error.pointer, error.fault.code())).collect();
        faults.sort();
        faults
    }

    #[test]
    fn every_bad_part_of_a_definition_is_named_at_once() {
        for (body, expected) in [
            (json!({}), vec![("/label", "required"), ("/slug", "required"), ("/type", "required")]),
            (
                json!({ "slug": "Size", "label": "", "type": "enum", "sensitive": "no", "version": 1, "lable": "x" }),
                vec![
                    ("/label", "empty"),
                    ("/lable", "unknown_field"),
                    ("/sensitive", "wrong_type"),
                    ("/slug", "invalid_slug"),
                    ("/type", "not_allowed"),
                    ("/version", "read_only"),
                ],
            ),
            (json!({ "slug": "a", "label": "A", "type": "choice" }), vec![("/choices", "required")]),
            (
                json!({ "slug": "a", "label": "A", "type": "choice", "choices": [] }),
                vec![("/choices", "empty")],
            ),
            (
                json!({ "slug": "a", "label": "A", "type": "choice", "choices": ["S", 7, " S", ""] }),
                vec![("/choices/1", "wrong_type"), ("/choices/2", "repeated"), ("/choices/3", "empty")],
            ),
            (
                json!({ "slug": "a", "label": "A", "type": "text", "choices": ["S"] }),
                vec![("/choices", "nothing_to_choose")],
            ),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(pointer, code)| (pointer.to_owned(), code)).collect();
            assert_eq!(faults(NewCustomField::parse(&body)), expected, "{body}");
        }
        for slug in ["", "1a", "_a", "a-b", "año", "a b", &"a".repeat(41)] {
            let body = json!({ "slug": slug, "label": "A", "type": "text" });
            assert_eq!(
                faults(NewCustomField::parse(&body)),
                [("/slug".to_owned(), "invalid_slug")],
                "{slug}"
            );
        }
    }

    #[test]
    fn a_patch_leaves_slug_and_type_alone() {
        let size = field("choice");
        let renamed = NewCustomField::patched(&size, &json!({ "label": "Talla", "sensitive": true }));
        let expected = NewCustomField { label: "Talla".to_owned(), sensitive: true, ..size.clone() };
        assert_eq!(renamed.expect("valid"), expected);
        let refused =
            NewCustomField::patched(&size, &json!({ "slug": "y", "type": "text", "choices": null, "x": 1 }));
        let expected = [
            ("/choices", "required"),
            ("/slug", "immutable"),
            ("/type", "immutable"),
            ("/x", "unknown_field"),
        ];
        assert_eq!(faults(refused), expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn each_type_takes_its_values_and_no_other() {
        for (kind, good, bad) in [
            ("text", vec![json!("ñ"), json!(" a ")], vec![(json!(7), "wrong_type"), (json!(" "), "empty")]),
            (
                "number",
                vec![json!(0), json!(-1.5), json!(1e300)],
                vec![(json!("7"), "wrong_type"), (json!([7]), "wrong_type")],
            ),
            (
                "boolean",
                vec![json!(true), json!(false)],
                vec![(json!(1), "wrong_type"), (json!("true"), "wrong_type")],
            ),
            (
                "date",
                vec![json!("2024-02-29")],
                vec![(json!("2026-02-29"), "invalid_date"), (json!(7), "wrong_type")],
            ),
            ("choice", vec![json!("S")], vec![(json!("s"), "not_allowed"), (json!({}), "wrong_type")]),
        ] {
            for value in good {
                assert!(field(kind).value(&value).is_ok(), "{kind} takes {value}");
            }
            for (value, code) in bad {
                let refused = field(kind).value(&value).map_err(|fault| fault.code());
                assert_eq!(refused, Err(code), "{kind} refuses {value}");
            }
        }
    }

    #[test]
    fn values_without_a_field_are_refused_with_the_nearest() {
        let fields = stored(field("text"));
        let refused = read(&values(json!({ "x": null, "xx": 1, "x/y": null })), &fields);
        let expected = [("/customFields/xx", "unknown_field"), ("/customFields/x~1y", "unknown_field")];
        assert_eq!(faults(refused), expected.map(|(pointer, code)| (pointer.to_owned(), code)));
        assert_eq!(read(&values(json!({ "x": null })), &fields), Ok(Values::new()));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
            "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]".prop_map(Value::from),
            prop_oneof!["S", "M", "L"].prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::from))
    }

    proptest! {
        #[test]
        fn what_is_taken_is_a_value_of_its_type_and_is_taken_again(
            kind in prop::sample::select(FieldType::ALL),
            value in any_value(),
        ) {
            let field = field(kind);
            let (kind_of, fields) = (field.kind, stored(field));
            match read(&values(json!({ "x": value })), &fields) {
                Err(faults) => {
                    prop_assert_eq!(faults.len(), 1);
                    prop_assert_eq!(faults[0].pointer.as_str(), "/customFields/x");
                }
                Ok(values) => {
                    for value in values.values() {
                        let right = match kind_of {
                            FieldType::Number => value.is_number(),
                            FieldType::Boolean => value.is_boolean(),
                            FieldType::Text | FieldType::Date | FieldType::Choice => value.is_string(),
                        };
                        prop_assert!(right, "{} took {}", kind, value);
                    }
                    prop_assert_eq!(read(&values, &fields), Ok(values));
                }
            }
        }
    }
}
