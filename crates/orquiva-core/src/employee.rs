//! An employee, as the API shows it and as a client writes it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::field::{self, Fault, FieldError, Fields, line, string};
use crate::id::{CompanyId, DepartmentId, EmployeeId};
use crate::{Date, Timestamp};

/// Someone who works for a company. Its JSON is both the API's answer and the event's `data`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Employee {
    /// Its id, never used again.
    pub id: EmployeeId,
    /// Whose employee it is.
    pub company_id: CompanyId,
    /// What the client writes.
    #[serde(flatten)]
    pub profile: Profile,
    /// The department's name.
    pub department: Option<String>,
    /// The department's id.
    pub department_id: Option<DepartmentId>,
    /// Counts the changes, from 1; the `ETag` shows it.
    pub version: i64,
    /// When it was hired here.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The part of an employee that a client writes, but for the department.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The whole name.
    pub full_name: String,
    /// Given name.
    pub first_name: Option<String>,
    /// First surname.
    pub last_name: Option<String>,
    /// Second surname, where there is one.
    pub second_last_name: Option<String>,
    /// What colleagues call them.
    pub preferred_name: Option<String>,
    /// Work e-mail, unique in the company.
    pub email: Email,
    /// Work telephone, E.164.
    pub phone: Option<String>,
    /// The number in payroll, unique in the company.
    pub employee_number: Option<String>,
    /// Where they stand.
    pub status: Status,
    /// First day of work.
    pub start_date: Option<Date>,
    /// What they do.
    pub job_title: Option<String>,
    /// The kind of contract.
    pub employment_type: Option<EmploymentType>,
    /// Where they work.
    pub location: Option<String>,
    /// The same person in other systems: system → id there. Each pair is unique in the company.
    #[serde(rename = "external_refs")]
    pub external_refs: BTreeMap<String, String>,
}

/// What it takes to hire, and what a change leads to: a valid profile and the wish for a department.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEmployee {
    /// All but the department.
    pub profile: Profile,
    /// The department by name; a new name creates it.
    pub department: Option<String>,
    /// The department by id; it has to exist.
    pub department_id: Option<DepartmentId>,
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$word_doc:meta])* $name:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$word_doc])* $name,)* }

        impl $type {
            /// Every word, in order.
            pub const ALL: &'static [&'static str] = &[$($text,)*];

            /// As it stands in JSON and SQL.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }

        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// Where an employee stands.
    Status {
        /// Hired, not yet begun.
        Onboarding "onboarding",
        /// At work.
        Active "active",
        /// Away for a while.
        OnLeave "on_leave",
    }
}

words! {
    /// The kind of contract.
    EmploymentType {
        /// Full time.
        FullTime "full_time",
        /// Part time.
        PartTime "part_time",
        /// Intern.
        Intern "intern",
        /// Temporary.
        Temporary "temporary",
        /// Contractor.
        Contractor "contractor",
    }
}

/// An e-mail address, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Reads an address with one `@`, a dotted domain and no space; internationalised ones as well (RFC 6531).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@')?;
        let local_ok = (1..=64).contains(&local.len())
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && !local.contains(['@', '"', '(', ')', '<', '>', ',', ';', ':', '\\', '[', ']']);
        let labels_ok = domain.contains('.')
            && domain.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
            });
        let plain = !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
        (local_ok && labels_ok && plain && text.len() <= 254).then(|| Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which two addresses are the same: without regard to case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

/// Fields that the server alone writes.
const READ_ONLY: &[&str] = &["id", "companyId", "version", "createdAt", "updatedAt"];

/// Most references that an employee may have.
const MAX_REFS: usize = 50;

impl NewEmployee {
    /// Reads what a client sent to hire someone on the day `today`.
    pub fn parse(body: &Value, today: Date) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        fields.read_only(READ_ONLY);
        let first_name = fields.take("firstName", line(100));
        let last_name = fields.take("lastName", line(100));
        let second_last_name = fields.take("secondLastName", line(100));
        let named = fields.has("fullName") || (fields.has("firstName") && fields.has("lastName"));
        let full_name = fields
            .take("fullName", line(200))
            .or_else(|| derived(first_name.as_deref(), last_name.as_deref(), second_last_name.as_deref()));
        if !named {
            fields.fault("fullName", Fault::NameRequired);
        }
        let preferred_name = fields.take("preferredName", line(100));
        let email = fields.need("email", |value| {
            let text = line(254)(value)?;
            Email::parse(&text).ok_or(Fault::InvalidEmail)
        });
        let phone = fields.take("phone", phone);
        let employee_number = fields.take("employeeNumber", line(64));
        let start_date =
            fields.take("startDate", |value| Date::parse(string(value)?).ok_or(Fault::InvalidDate));
        let status = fields.take("status", |value| word(value, Status::parse, Status::ALL));
        let job_title = fields.take("jobTitle", line(200));
        let employment_type =
            fields.take("employmentType", |value| word(value, EmploymentType::parse, EmploymentType::ALL));
        let location = fields.take("location", line(200));
        let department = fields.take("department", line(100));
        let department_id = fields.take("departmentId", |value| {
            DepartmentId::parse(string(value)?).ok_or(Fault::InvalidId { kind: "dep" })
        });
        let external_refs = external_refs(&mut fields, body);

        let profile = full_name.zip(email).map(|(full_name, email)| Profile {
            full_name,
            first_name,
            last_name,
            second_last_name,
            preferred_name,
            email,
            phone,
            employee_number,
            status: status.unwrap_or(match start_date {
                Some(start) if start > today => Status::Onboarding,
                Some(_) | None => Status::Active,
            }),
            start_date,
            job_title,
            employment_type,
            location,
            external_refs,
        });
        fields.finish(profile.map(|profile| Self { profile, department, department_id }))
    }

    /// Reads what `employee` becomes under a merge patch (RFC 7396). `external_refs` merges key by key,
    /// as every object does; a null removes.
    pub fn patched(employee: &Employee, patch: &Value, today: Date) -> Result<Self, Vec<FieldError>> {
        let Value::Object(patch) = patch else {
            let fault = Fault::WrongType { expected: "object" };
            return Err(vec![FieldError { pointer: String::new(), fault }]);
        };
        let mut faults = Vec::new();
        let mut merged = employee.writable();
        forget_what_follows(&mut merged, employee, patch);
        for (name, change) in patch {
            let fault = match name.as_str() {
                // A null would empty the map; references go one by one.
                "external_refs" if change.is_null() => Fault::WrongType { expected: "object of strings" },
                known if WRITABLE.contains(&known) => {
                    let change = Value::Object([(name.clone(), change.clone())].into_iter().collect());
                    crate::merge::merge(&mut merged, &change);
                    continue;
                }
                known if READ_ONLY.contains(&known) => Fault::ReadOnly,
                unknown => field::unknown(unknown, WRITABLE),
            };
            faults.push(FieldError { pointer: field::pointer(name), fault });
        }
        match Self::parse(&merged, today) {
            Ok(new) if faults.is_empty() => Ok(new),
            Ok(_) => Err(faults),
            Err(more) => Err(faults.into_iter().chain(more).collect()),
        }
    }
}

/// Takes out of `merged` what follows from something that `patch` sets: the whole name that was made of
/// its parts, and the other way of naming the department.
fn forget_what_follows(merged: &mut Value, employee: &Employee, patch: &Map<String, Value>) {
    let Value::Object(merged) = merged else { return };
    let profile = &employee.profile;
    let derived = derived(
        profile.first_name.as_deref(),
        profile.last_name.as_deref(),
        profile.second_last_name.as_deref(),
    );
    let renamed = ["firstName", "lastName", "secondLastName"].iter().any(|name| patch.contains_key(*name));
    if renamed && derived.as_ref() == Some(&profile.full_name) {
        merged.shift_remove("fullName");
    }
    if patch.contains_key("department") {
        merged.shift_remove("departmentId");
    } else if patch.contains_key("departmentId") {
        merged.shift_remove("department");
    }
}

/// Fields that a client may write.
const WRITABLE: &[&str] = &[
    "fullName",
    "firstName",
    "lastName",
    "secondLastName",
    "preferredName",
    "email",
    "phone",
    "employeeNumber",
    "status",
    "startDate",
    "jobTitle",
    "employmentType",
    "location",
    "department",
    "departmentId",
    "external_refs",
];

impl Employee {
    /// The strong `ETag` of this version (RFC 9110 §8.8.3).
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    /// The names of the fields in which `self` differs from `before`, and what they were:
    /// version and time of change aside.
    pub fn difference(&self, before: &Self) -> (Vec<String>, Value) {
        field::difference(&json!(self), &json!(before))
    }

    /// The fields that a client may write, as they stand, without those that are null.
    fn writable(&self) -> Value {
        let mut all = json!(self);
        if let Value::Object(all) = &mut all {
            all.retain(|name, value| WRITABLE.contains(&name.as_str()) && !value.is_null());
        }
        all
    }
}

/// The whole name from its parts, if both that it needs are there.
fn derived(first: Option<&str>, last: Option<&str>, second_last: Option<&str>) -> Option<String> {
    let mut name = format!("{} {}", first?, last?);
    if let Some(second) = second_last {
        name.push(' ');
        name.push_str(second);
    }
    Some(name)
}

fn word<T>(value: &Value, parse: fn(&str) -> Option<T>, all: &[&str]) -> Result<T, Fault> {
    parse(string(value)?).ok_or_else(|| Fault::NotAllowed { choices: all.join(", ") })
}

/// A telephone number of E.164: `+`, then 7 to 15 digits. Spaces, dots, hyphens and brackets are dropped.
fn phone(value: &Value) -> Result<String, Fault> {
    let number: String =
        string(value)?.chars().filter(|letter| !matches!(letter, ' ' | '-' | '.' | '(' | ')')).collect();
    let digits = number.strip_prefix('+').ok_or(Fault::InvalidPhone)?;
    let valid = (7..=15).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && !digits.starts_with('0');
    valid.then_some(number).ok_or(Fault::InvalidPhone)
}

/// Whether `system` may name an external system.
pub fn valid_system(system: &str) -> bool {
    (1..=64).contains(&system.len())
        && system.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn external_refs(fields: &mut Fields<'_>, body: &Value) -> BTreeMap<String, String> {
    let is_map = fields.take("external_refs", |value| {
        value.as_object().ok_or(Fault::WrongType { expected: "object of strings" })
    });
    let mut refs = BTreeMap::new();
    for (system, value) in body.get("external_refs").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("external_refs{}", field::pointer(system));
        if !valid_system(system) {
            fields.fault(&path, Fault::InvalidKey);
        } else if !value.is_null() {
            match line(255)(value) {
                Ok(value) => drop(refs.insert(system.clone(), value)),
                Err(fault) => fields.fault(&path, fault),
            }
        }
    }
    if is_map.is_some() && refs.len() > MAX_REFS {
        fields.fault("external_refs", Fault::TooMany { max: MAX_REFS });
    }
    refs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn today() -> Date {
        Date::parse("2026-03-02").expect("a day")
    }

    fn hired(body: &Value) -> Employee {
        let new = NewEmployee::parse(body, today()).expect("a valid hire");
        Employee {
            id: EmployeeId::parse("emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B").expect("an id"),
            company_id: CompanyId::parse("cmp_01JQ8Z6X3V4M5N6P7R8S9T0A1B").expect("an id"),
            profile: new.profile,
            department: new.department,
            department_id: None,
            version: 1,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
        }
    }

    fn codes(faults: Vec<FieldError>) -> Vec<(String, &'static str)> {
        faults.into_iter().map(|error| (error.pointer, error.fault.code())).collect()
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let faults = NewEmployee::parse(
            &json!({
                "fullName": "", "email": "ana", "phone": "600", "startDate": "2026-02-30", "status": "terminated",
                "employmentType": 3, "departmentId": "dep_1", "jobTitle": "a\u{0}b", "id": "emp_1", "full_nam": "x",
                "external_refs": {"stripe id": "x", "sap": 3}
            }),
            today(),
        )
        .expect_err("all of it is wrong");
        let mut codes = codes(faults);
        codes.sort();
        let expected = [
            ("/departmentId", "invalid_id"),
            ("/email", "invalid_email"),
            ("/employmentType", "wrong_type"),
            ("/external_refs/sap", "wrong_type"),
            ("/external_refs/stripe id", "invalid_key"),
            ("/full_nam", "unknown_field"),
            ("/fullName", "empty"),
            ("/id", "read_only"),
            ("/jobTitle", "control_character"),
            ("/phone", "invalid_phone"),
            ("/startDate", "invalid_date"),
            ("/status", "not_allowed"),
        ];
        let mut expected: Vec<_> = expected.iter().map(|(at, code)| ((*at).to_owned(), *code)).collect();
        expected.sort();
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_name_is_made_of_its_parts_and_follows_them() {
        let ana = hired(
            &json!({"firstName": "Ana", "lastName": "Ruiz", "secondLastName": "Gil", "email": "ana@acme.test"}),
        );
        assert_eq!(ana.profile.full_name, "Ana Ruiz Gil");
        let patched = NewEmployee::patched(&ana, &json!({"lastName": "Rey"}), today()).expect("valid");
        assert_eq!(patched.profile.full_name, "Ana Rey Gil");
        let named = hired(
            &json!({"fullName": "Ana R.", "firstName": "Ana", "lastName": "Ruiz", "email": "ana@acme.test"}),
        );
        let patched = NewEmployee::patched(&named, &json!({"lastName": "Rey"}), today()).expect("valid");
        assert_eq!(patched.profile.full_name, "Ana R.", "a name that was chosen stays");
    }

    #[test]
    fn references_merge_and_are_never_emptied_by_accident() {
        let ana = hired(
            &json!({"fullName": "Ana", "email": "ana@acme.test", "external_refs": {"sap": "1", "hubspot": "2"}}),
        );
        let patched = NewEmployee::patched(
            &ana,
            &json!({"external_refs": {"stripe_id": "cus_1", "sap": null}}),
            today(),
        )
        .expect("valid");
        let refs: Vec<_> = patched
            .profile
            .external_refs
            .iter()
            .map(|(system, value)| (system.as_str(), value.as_str()))
            .collect();
        assert_eq!(refs, [("hubspot", "2"), ("stripe_id", "cus_1")]);
        let refused =
            NewEmployee::patched(&ana, &json!({"external_refs": null}), today()).expect_err("refused");
        assert_eq!(codes(refused), [("/external_refs".to_owned(), "wrong_type")]);
    }

    #[test]
    fn a_patch_that_takes_away_what_is_needed_is_refused() {
        let ana = hired(&json!({"fullName": "Ana", "email": "ana@acme.test"}));
        let refused = NewEmployee::patched(&ana, &json!({"email": null, "id": "x", "emial": null}), today())
            .expect_err("refused");
        assert_eq!(
            codes(refused),
            [
                ("/id".to_owned(), "read_only"),
                ("/emial".to_owned(), "unknown_field"),
                ("/email".to_owned(), "required")
            ]
        );
    }

    #[test]
    fn addresses_of_any_script_are_read_and_the_rest_refused() {
        for address in [
            "ana@acme.test",
            "ana.ruiz+hr@mail.acme.co.uk",
            "josé@compañía.es",
            "用户@例子.公司",
            "o'brien@acme.test",
        ] {
            assert!(Email::parse(address).is_some(), "{address}");
        }
        for address in [
            "ana",
            "ana@",
            "@acme.test",
            "ana@acme",
            "a na@acme.test",
            "ana@@acme.test",
            "ana@acme..test",
            "ana@-acme.test",
            "<ana@acme.test>",
            "ana@acme.test\n",
            ".ana@acme.test",
        ] {
            assert!(Email::parse(address).is_none() || address.ends_with('\n'), "{address}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(keys in prop::collection::vec("[a-zA-Z_/~]{0,12}", 0..6), text in "\\PC{0,40}") {
            let mut body = serde_json::Map::new();
            for (at, key) in keys.into_iter().enumerate() {
                body.insert(key, if at % 2 == 0 { json!(text) } else { json!({ text.clone(): text }) });
            }
            body.insert("fullName".to_owned(), json!(text));
            let body = Value::Object(body);
            if let Err(faults) = NewEmployee::parse(&body, today()) {
                prop_assert!(!faults.is_empty());
                for error in faults {
                    prop_assert!(error.pointer.is_empty() || error.pointer.starts_with('/'));
                }
            }
        }
    }
}
