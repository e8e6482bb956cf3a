//! A department, as the API shows it and as a client writes it.

use serde::Serialize;
use serde_json::{Value, json};

use crate::Timestamp;
use crate::field::{self, Fault, FieldError, Fields, line, string};
use crate::id::{DepartmentId, EmployeeId};
use crate::text::fold;

/// A part of a company, in which people work and under which other parts may stand.
/// Its JSON is both the API's answer and the event's `data`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Department {
    /// Its id, never used again.
    pub id: DepartmentId,
    /// What the client writes.
    #[serde(flatten)]
    pub shape: NewDepartment,
    /// Counts the changes, from 1; the `ETag` shows it.
    pub version: i64,
    /// When it came into being.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The part of a department that a client writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewDepartment {
    /// Its name, unique in the company without regard to case and accents.
    pub name: String,
    /// A short name of the company's own, unique where there is one.
    pub code: Option<String>,
    /// The department that it stands under.
    pub parent_id: Option<DepartmentId>,
    /// The employees who lead it.
    pub lead_ids: Vec<EmployeeId>,
}

/// Fields that a client may write.
pub const WRITABLE: &[&str] = &["name", "code", "parentId", "leadIds"];

/// Fields that the server alone writes.
const READ_ONLY: &[&str] = &["id", "version", "createdAt", "updatedAt"];

/// Most leads that a department may have.
pub const MAX_LEADS: usize = 20;

/// Most names that a refusal offers.
const MAX_NEAR: usize = 5;

impl NewDepartment {
    /// A department of that name and nothing else, as a hire makes it.
    pub fn named(name: String) -> Self {
        Self { name, code: None, parent_id: None, lead_ids: Vec::new() }
    }

    /// Reads what a client sent to create a department.
    pub fn parse(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        fields.read_only(READ_ONLY);
        let name = fields.need("name", line(100));
        let code = fields.take("code", line(64));
        let parent_id = fields.take("parentId", |value| {
            DepartmentId::parse(string(value)?).ok_or(Fault::InvalidId { kind: "dep" })
        });
        let lead_ids = lead_ids(&mut fields);
        fields.finish(name.map(|name| Self { name, code, parent_id, lead_ids }))
    }

    /// Reads what `department` becomes under a merge patch (RFC 7396); a null takes away.
    pub fn patched(department: &Department, patch: &Value) -> Result<Self, Vec<FieldError>> {
        let refused = |name: &str| match name {
            known if WRITABLE.contains(&known) => None,
            known if READ_ONLY.contains(&known) => Some(Fault::ReadOnly),
            unknown => Some(field::unknown(unknown, WRITABLE)),
        };
        field::patched(json!(department.shape), patch, refused, Self::parse)
    }
}

impl Department {
    /// The strong `ETag` of this version (RFC 9110 §8.8.3).
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    /// The names of the fields in which `self` differs from `before`, and what they were:
    /// version and time of change aside.
    pub fn difference(&self, before: &Self) -> (Vec<String>, Value) {
        field::difference(&json!(self), &json!(before))
    }
}

/// The form under which a department's name is the same as another spelling of it.
pub fn key(name: &str) -> String {
    fold(name)
}

/// Those of `names` that may have been meant by `name`, the nearest first: nearly spelt so, or a part of it.
pub fn near<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let asked = key(name);
    let mut found: Vec<_> = names
        .into_iter()
        .filter_map(|known| {
            let other = key(known);
            let distance = crate::text::distance(&asked, &other);
            let close = distance <= 1 + asked.chars().count() / 4;
            let part = asked.len() > 2 && (other.contains(&asked) || asked.contains(&other));
            (close || part).then_some((!close, distance, known))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().take(MAX_NEAR).map(|(_, _, known)| known).collect()
}

/// A list of employees' ids, each once.
fn lead_ids(fields: &mut Fields<'_>) -> Vec<EmployeeId> {
    let entries = fields.take("leadIds", |value| {
        let entries = value.as_array().ok_or(Fault::WrongType { expected: "list of ids" })?;
        match entries.len() <= MAX_LEADS {
            true => Ok(entries),
            false => Err(Fault::TooMany { max: MAX_LEADS }),
        }
    });
    let mut leads = Vec::new();
    for (at, entry) in entries.into_iter().flatten().enumerate() {
        let lead = string(entry)
            .and_then(|text| EmployeeId::parse(text).ok_or(Fault::InvalidId { kind: "emp" }))
            .and_then(|lead| if leads.contains(&lead) { Err(Fault::RepeatedEntry) } else { Ok(lead) });
        match lead {
            Ok(lead) => leads.push(lead),
            Err(fault) => fields.fault(&format!("leadIds/{at}"), fault),
        }
    }
    leads
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEAD: &str = "emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B";
    const PARENT: &str = "dep_01JQ8Z6X3V4M5N6P7R8S9T0A1C";

    fn stored(shape: NewDepartment) -> Department {
        Department {
            id: DepartmentId::parse("dep_01JQ8Z6X3V4M5N6P7R8S9T0A1B").expect("an id"),
            shape,
            version: 1,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
        }
    }

    fn faults<T: std::fmt::Debug>(read: Result<T, Vec<FieldError>>) -> Vec<(String, &'static str)> {
        let faults = read.expect_err("refused");
        let mut faults: Vec<_> =
            faults.into_iter().map(|error| (error.pointer, error.fault.code())).collect();
        faults.sort();
        faults
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let body = json!({
            "name": " ", "code": 7, "parentId": "dep_1", "leadIds": [LEAD, "emp_1", 3, LEAD], "id": "x", "lead": [],
        });
        let expected = [
            ("/code", "wrong_type"),
            ("/id", "read_only"),
            ("/lead", "unknown_field"),
            ("/leadIds/1", "invalid_id"),
            ("/leadIds/2", "wrong_type"),
            ("/leadIds/3", "repeated"),
            ("/name", "empty"),
            ("/parentId", "invalid_id"),
        ];
        let found = faults(NewDepartment::parse(&body));
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
        let many = json!({ "name": "Ventas", "leadIds": vec![LEAD; 21] });
        assert_eq!(faults(NewDepartment::parse(&many)), [("/leadIds".to_owned(), "too_many")]);
        assert_eq!(faults(NewDepartment::parse(&json!({}))), [("/name".to_owned(), "required")]);
    }

    #[test]
    fn a_patch_changes_what_it_names_and_a_null_takes_away() {
        let whole = json!({ "name": "Ventas", "code": "V", "parentId": PARENT, "leadIds": [LEAD] });
        let before = stored(NewDepartment::parse(&whole).expect("valid"));
        assert_eq!(NewDepartment::patched(&before, &json!({})).expect("valid"), before.shape);
        let renamed = NewDepartment::patched(&before, &json!({ "name": "Comercial" })).expect("valid");
        assert_eq!(renamed, NewDepartment { name: "Comercial".to_owned(), ..before.shape.clone() });
        let bare = json!({ "code": null, "parentId": null, "leadIds": null });
        let bare = NewDepartment::patched(&before, &bare).expect("valid");
        assert_eq!(bare, NewDepartment::named("Ventas".to_owned()));
        let refused = NewDepartment::patched(&before, &json!({ "name": null, "version": 3, "nam": "x" }));
        let expected = [("/nam", "unknown_field"), ("/name", "required"), ("/version", "read_only")];
        assert_eq!(faults(refused), expected.map(|(pointer, code)| (pointer.to_owned(), code)));
        assert_eq!(faults(NewDepartment::patched(&before, &json!([]))), [(String::new(), "wrong_type")]);
    }

    #[test]
    fn the_nearest_names_are_offered_first() {
        let names = ["Ventas", "Ventas Norte", "Compras", "Vetas", "Ingeniería"];
        assert_eq!(near("VÉNTAS", names), ["Ventas", "Vetas", "Ventas Norte"]);
        assert_eq!(near("ingenieria de datos", names), ["Ingeniería"]);
        assert!(near("Legal", names).is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(name in "\\PC{0,110}", code in "\\PC{0,70}", lead in "\\PC{0,30}") {
            let body = json!({ "name": name, "code": code, "leadIds": [lead], "parentId": lead });
            if let Err(faults) = NewDepartment::parse(&body) {
                prop_assert!(faults.iter().all(|error| error.pointer.starts_with('/')));
            }
            let _all_near_names_are_known = near(&name, [code.as_str(), lead.as_str()]);
        }
    }
}
