//! Which events an endpoint wants of those that it is subscribed to: by what they say.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::field::{self, Fault, FieldError};
use crate::text::nearest;
use crate::{department, employee};

/// Most paths of a filter.
const MOST_PATHS: usize = 10;

/// Most values that a path may have.
const MOST_VALUES: usize = 50;

/// Most characters of a path, and of a value.
const MOST_CHARACTERS: usize = 200;

/// What an event says that can be asked for. Of the last one every name is a field of a resource.
const ROOTS: [&str; 5] = ["type", "actor", "changed", "previous", "data"];

/// What there is under `actor`.
const ACTOR: [&str; 2] = ["type", "id"];

/// Paths into an event, each with the values that are wanted there. All of them have to be met, each by one of its
/// values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Filter(BTreeMap<String, Vec<Value>>);

impl Filter {
    /// Reads what a client sent; one without a path is none.
    pub(crate) fn read(value: &Value) -> Result<Option<Self>, Vec<FieldError>> {
        let fault = |pointer: String, fault| FieldError { pointer, fault };
        let Value::Object(map) = value else {
            return Err(vec![fault(String::new(), Fault::WrongType { expected: "object" })]);
        };
        let mut faults = Vec::new();
        if map.len() > MOST_PATHS {
            faults.push(fault(String::new(), Fault::TooMany { max: MOST_PATHS }));
        }
        for (path, values) in map {
            let at = field::pointer(path);
            if let Err(wrong) = check_path(path) {
                faults.push(fault(at.clone(), wrong));
            }
            match values.as_array() {
                None => faults.push(fault(at, Fault::WrongType { expected: "list of values" })),
                Some(values) if values.is_empty() => faults.push(fault(at, Fault::Empty)),
                Some(values) if values.len() > MOST_VALUES => {
                    faults.push(fault(at, Fault::TooMany { max: MOST_VALUES }));
                }
                Some(values) => {
                    let wrong = values.iter().enumerate().filter_map(|(index, value)| {
                        Some(fault(format!("{at}/{index}"), check_value(value).err()?))
                    });
                    faults.extend(wrong);
                }
            }
        }
        match faults.is_empty() {
            true => Ok(Self::from_map(map.iter())),
            false => Err(faults),
        }
    }

    /// A filter as it is stored, which was read before.
    pub fn stored(text: &str) -> Option<Self> {
        let map: serde_json::Map<String, Value> = serde_json::from_str(text).ok()?;
        Self::from_map(map.iter())
    }

    fn from_map<'v>(map: impl Iterator<Item = (&'v String, &'v Value)>) -> Option<Self> {
        let list = |(path, values): (&String, &Value)| Some((path.clone(), values.as_array()?.clone()));
        let paths: BTreeMap<_, _> = map.filter_map(list).collect();
        (!paths.is_empty()).then_some(Self(paths))
    }

    /// The paths that lead to what only some may see.
    pub fn sensitive_paths(&self) -> impl Iterator<Item = &str> {
        let is_sensitive = |path: &&String| {
            let mut names = path.split('.');
            let (root, name) = (names.next(), names.next());
            matches!(root, Some("data" | "previous"))
                && name.is_some_and(|name| employee::SENSITIVE.contains(&name))
        };
        self.0.keys().filter(is_sensitive).map(String::as_str)
    }

    /// Whether an event of type `kind` is wanted. `payload` is the rest of its envelope, as the endpoint sees it:
    /// what it may not see is not there, and what is not there is null.
    pub fn matches(&self, kind: &str, payload: &Value) -> bool {
        let kind = Value::from(kind);
        self.0.iter().all(|(path, wanted)| {
            let mut found = Vec::new();
            match path.as_str() {
                "type" => found.push(&kind),
                path => find(payload, path, &mut found),
            }
            match found.is_empty() {
                true => wanted.contains(&Value::Null),
                false => found.iter().any(|value| meets(value, wanted)),
            }
        })
    }
}

/// Finds what stands at `path`. A name may have a dot in it, so every way to part the path is gone.
fn find<'v>(value: &'v Value, path: &str, found: &mut Vec<&'v Value>) {
    let Value::Object(map) = value else { return };
    found.extend(map.get(path));
    for (dot, _) in path.match_indices('.') {
        if let Some(inner) = map.get(&path[..dot]) {
            find(inner, &path[dot + 1..], found);
        }
    }
}

/// A list meets what one of its entries meets.
fn meets(value: &Value, wanted: &[Value]) -> bool {
    match value {
        Value::Array(entries) => entries.iter().any(|entry| wanted.iter().any(|one| same(entry, one))),
        value => wanted.iter().any(|one| same(value, one)),
    }
}

/// 7 and 7.0 are one number.
fn same(left: &Value, right: &Value) -> bool {
    left == right || (left.is_number() && left.as_f64() == right.as_f64())
}

fn check_path(path: &str) -> Result<(), Fault> {
    if path.chars().count() > MOST_CHARACTERS {
        return Err(Fault::TooLong { max: MOST_CHARACTERS });
    }
    let (root, rest) = path.split_once('.').map_or((path, None), |(root, rest)| (root, Some(rest)));
    let name = rest.map(|rest| rest.split('.').next().unwrap_or_default());
    let unknown = |prefix: &str, name: &str, known: &[&str]| {
        let near = nearest(name, known.iter().copied()).unwrap_or(known[0]);
        Err(Fault::UnknownPath { near: format!("{prefix}{near}") })
    };
    match (root, name) {
        ("type" | "changed", None) => Ok(()),
        ("type" | "changed", Some(_)) => Err(Fault::UnknownPath { near: root.to_owned() }),
        ("actor", Some(name)) if ACTOR.contains(&name) && rest == Some(name) => Ok(()),
        ("actor", name) => unknown("actor.", name.unwrap_or_default(), &ACTOR),
        ("data" | "previous", Some(name)) if fields().any(|known| known == name) => Ok(()),
        ("data" | "previous", name) => {
            unknown(&format!("{root}."), name.unwrap_or_default(), &fields().collect::<Vec<_>>())
        }
        _ => match fields().any(|known| known == root) {
            true => Err(Fault::UnknownPath { near: format!("data.{path}") }),
            false => unknown("", root, &ROOTS),
        },
    }
}

/// Every field of what events tell of.
fn fields() -> impl Iterator<Item = &'static str> {
    let people = employee::FIELDS.iter().chain(employee::SENSITIVE);
    let endpoints = super::WRITABLE.iter().chain(super::READ_ONLY);
    people.chain(department::WRITABLE).chain(endpoints).copied()
}

fn check_value(value: &Value) -> Result<(), Fault> {
    match value {
        Value::String(text) if text.chars().count() > MOST_CHARACTERS => {
            Err(Fault::TooLong { max: MOST_CHARACTERS })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        Value::Array(_) | Value::Object(_) => {
            Err(Fault::WrongType { expected: "string, number, true, false or null" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn filter(value: &Value) -> Filter {
        Filter::read(value).expect("valid").expect("a path")
    }

    #[test]
    fn all_paths_have_to_be_met_each_by_one_of_its_values() {
        let payload = json!({
            "apiVersion": "v1", "actor": { "type": "client", "id": "cli_1" }, "changed": ["email", "department"],
            "data": {
                "department": "Ventas", "managerId": null, "version": 7, "customFields": { "shirt": "M", "vip": true },
                "external_refs": { "erp.v2": "E1", "sap": "S1" },
            },
        });
        for (wanted, matches) in [
            (json!({ "data.department": ["Ventas"] }), true),
            (json!({ "data.department": ["Compras", "Ventas"] }), true),
            (json!({ "data.department": ["ventas"] }), false),
            (json!({ "data.department": ["Ventas"], "data.version": [8] }), false),
            (json!({ "data.department": ["Ventas"], "data.version": [7.0] }), true),
            (json!({ "data.managerId": [null] }), true),
            (json!({ "data.managerId": ["emp_1"] }), false),
            (json!({ "data.customFields.vip": [true] }), true),
            (json!({ "data.customFields.vip": ["true"] }), false),
            (json!({ "data.customFields.size": [null, 3] }), true),
            (json!({ "data.customFields.size": [3] }), false),
            (json!({ "data.external_refs.erp.v2": ["E1"] }), true),
            (json!({ "changed": ["department"] }), true),
            (json!({ "changed": ["jobTitle"] }), false),
            (json!({ "previous.department": [null] }), true),
            (json!({ "type": ["employee.updated"], "actor.type": ["client"] }), true),
            (json!({ "type": ["employee.created"] }), false),
        ] {
            assert_eq!(filter(&wanted).matches("employee.updated", &payload), matches, "{wanted}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_is_refused_with_the_nearest() {
        for (path, near) in [
            ("date.department", "data"),
            ("data.deparment", "data.department"),
            ("data", "data.id"),
            ("department", "data.department"),
            ("customFields.shirt", "data.customFields.shirt"),
            ("previous.job_title", "previous.jobTitle"),
            ("actor", "actor.type"),
            ("actor.ids", "actor.id"),
            ("type.x", "type"),
            ("", "type"),
        ] {
            let faults = Filter::read(&json!({ path: ["x"] })).expect_err(path);
            assert_eq!(faults.len(), 1);
            assert_eq!(faults[0].fault, Fault::UnknownPath { near: near.to_owned() }, "{path}");
        }
    }

    #[test]
    fn every_bad_part_is_named_at_once() {
        let many: Vec<_> = (0..51).collect();
        let value = json!({
            "data.department": "Ventas", "data.status": [], "data.id": many, "data.email": [{}, "x", ["y"]],
            "data.location": ["x".repeat(201)], "x".repeat(201): [1], "data.external_refs.a/b~": [{}],
        });
        let faults = Filter::read(&value).expect_err("all of them are wrong");
        let found: Vec<_> = faults.iter().map(|error| (error.pointer.as_str(), error.fault.code())).collect();
        let long = format!("/{}", "x".repeat(201));
        let expected = [
            ("/data.department", "wrong_type"),
            ("/data.status", "empty"),
            ("/data.id", "too_many"),
            ("/data.email/0", "wrong_type"),
            ("/data.email/2", "wrong_type"),
            ("/data.location/0", "too_long"),
            (long.as_str(), "too_long"),
            ("/data.external_refs.a~1b~0/0", "wrong_type"),
        ];
        assert_eq!(found, expected);
        let paths: serde_json::Map<_, _> =
            (0..11).map(|at| (format!("data.customFields.f{at}"), json!([1]))).collect();
        let faults = Filter::read(&Value::Object(paths)).expect_err("too many");
        assert_eq!((faults[0].pointer.as_str(), faults[0].fault.code()), ("", "too_many"));
        assert_eq!(Filter::read(&json!({})).expect("valid"), None, "no path, no filter");
    }

    #[test]
    fn what_only_some_may_see_is_known_by_its_path() {
        let filter = filter(&json!({
            "data.birthDate": [null], "previous.homeAddress.city": ["Vigo"], "data.department": ["x"],
            "data.customFields.gender": ["x"],
        }));
        let paths: Vec<_> = filter.sensitive_paths().collect();
        assert_eq!(paths, ["data.birthDate", "previous.homeAddress.city"]);
    }

    fn any_scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3_i64..3).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ]
    }

    /// Some fields of an employee.
    fn any_data() -> impl Strategy<Value = serde_json::Map<String, Value>> {
        let name = prop::sample::select(vec!["department", "status", "location", "jobTitle"]);
        prop::collection::btree_map(name, any_scalar(), 0..4)
            .prop_map(|map| map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn any_filter() -> impl Strategy<Value = BTreeMap<String, Vec<Value>>> {
        let path =
            prop::sample::select(vec!["data.department", "data.status", "data.location", "data.jobTitle"]);
        prop::collection::btree_map(
            path.prop_map(str::to_owned),
            prop::collection::vec(any_scalar(), 1..4),
            1..4,
        )
    }

    proptest! {
        #[test]
        fn it_matches_when_each_path_has_one_of_its_values(data in any_data(), wanted in any_filter()) {
            let expected = wanted.iter().all(|(path, values)| {
                let name = path.strip_prefix("data.").expect("all are under data");
                values.contains(data.get(name).unwrap_or(&Value::Null))
            });
            prop_assert_eq!(filter(&json!(wanted)).matches("employee.updated", &json!({ "data": data })), expected);
        }

        #[test]
        fn more_paths_never_let_more_in_and_more_values_never_less(
            data in any_data(), wanted in any_filter(), more in any_filter(), value in any_scalar(),
        ) {
            let payload = json!({ "data": data });
            let before = filter(&json!(wanted)).matches("employee.updated", &payload);
            let mut narrower = more;
            narrower.extend(wanted.clone());
            prop_assert!(before || !filter(&json!(narrower)).matches("employee.updated", &payload));
            let mut wider = wanted;
            wider.values_mut().for_each(|values| values.push(value.clone()));
            prop_assert!(!before || filter(&json!(wider)).matches("employee.updated", &payload));
        }

        #[test]
        fn whatever_is_sent_is_read_or_refused_and_what_is_read_is_stored_as_it_is(path in "\\PC{0,40}", value in any_scalar()) {
            for path in [path.clone(), format!("data.{path}"), format!("data.customFields.{path}")] {
                match Filter::read(&json!({ path: [value.clone()] })) {
                    Ok(read) => {
                        let filter = read.expect("it has a path");
                        prop_assert_eq!(Filter::stored(&json!(filter).to_string()), Some(filter));
                    }
                    Err(faults) => prop_assert!(!faults.is_empty()),
                }
            }
        }
    }
}
