//! What a client sends to hire or to change someone, read into a profile that is valid by construction.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Email, Employee, EmploymentType, Profile, Sensitive, Status};
use crate::Date;
use crate::custom_field::Values;
use crate::field::{self, Fault, FieldError, Fields, date, line, string, word};
use crate::id::{DepartmentId, EmployeeId};

/// What it takes to hire, and what a change leads to: a valid profile and the wish for a department.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEmployee {
    /// All but the department and what is sensitive.
    pub profile: Profile,
    /// What only some may see.
    pub sensitive: Sensitive,
    /// The department by name; a new name creates it.
    pub department: Option<String>,
    /// The department by id; it has to exist.
    pub department_id: Option<DepartmentId>,
    /// What is wished for the fields that the company has added, a null for what is to be taken away: it is read
    /// where these fields are known.
    pub custom_fields: Values,
}

/// Fields that the server alone writes.
const READ_ONLY: &[&str] = &["id", "companyId", "originalHireDate", "version", "createdAt", "updatedAt"];

/// Fields that the end of an employment writes.
const OF_THE_END: &[&str] = &["endDate", "terminationReason"];

/// Most references that an employee may have.
const MAX_REFS: usize = 50;

impl NewEmployee {
    /// Reads what a client sent to hire someone on the day `today`.
    pub fn parse(body: &Value, today: Date) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        fields.read_only(READ_ONLY);
        fields.refuse(OF_THE_END, &Fault::UseTerminate);
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
        let email = fields.need("email", Email::read);
        let phone = fields.take("phone", phone);
        let employee_number = fields.take("employeeNumber", line(64));
        let start_date = fields.take("startDate", date);
        let status = fields.take("status", status);
        let manager_id = fields.take("managerId", |value| {
            EmployeeId::parse(string(value)?).ok_or(Fault::InvalidId { kind: "emp" })
        });
        let job_title = fields.take("jobTitle", line(200));
        let employment_type = fields.take("employmentType", word(EmploymentType::parse, EmploymentType::ALL));
        let location = fields.take("location", line(200));
        let department = fields.take("department", line(100));
        let department_id = fields.take("departmentId", |value| {
            DepartmentId::parse(string(value)?).ok_or(Fault::InvalidId { kind: "dep" })
        });
        let external_refs = external_refs(&mut fields, body);
        let sensitive = Sensitive::read(&mut fields, today);
        let custom_fields = custom_fields(&mut fields);

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
            manager_id,
            job_title,
            employment_type,
            location,
            external_refs,
        });
        fields.finish(profile.map(|profile| Self {
            profile,
            sensitive,
            department,
            department_id,
            custom_fields,
        }))
    }

    /// Reads what `employee` becomes under a merge patch (RFC 7396): objects merge key by key, a null removes.
    pub fn patched(employee: &Employee, patch: &Value, today: Date) -> Result<Self, Vec<FieldError>> {
        let Value::Object(patch) = patch else {
            let fault = Fault::WrongType { expected: "object" };
            return Err(vec![FieldError { pointer: String::new(), fault }]);
        };
        let mut faults = Vec::new();
        let mut merged = writable(employee);
        forget_what_follows(&mut merged, employee, patch);
        for (name, change) in patch {
            match refused(employee, name, change) {
                Some(fault) => faults.push(FieldError { pointer: field::pointer(name), fault }),
                None if name == "status" && ended(employee).is_some() => {}
                None => {
                    let change = Value::Object([(name.clone(), change.clone())].into_iter().collect());
                    crate::merge::merge(&mut merged, &change);
                }
            }
        }
        note_removals(&mut merged, patch);
        let mut new = match Self::parse(&merged, today) {
            Ok(new) => new,
            Err(more) => return Err(faults.into_iter().chain(more).collect()),
        };
        if ended(employee).is_some() {
            new.profile.status = employee.profile.status;
            if employee.end_date.zip(new.profile.start_date).is_some_and(|(end, start)| end < start) {
                faults.push(FieldError { pointer: "/startDate".to_owned(), fault: Fault::EndBeforeStart });
            }
        }
        if faults.is_empty() { Ok(new) } else { Err(faults) }
    }
}

/// Why a patch may not change the field `name` of `employee` in this way.
fn refused(employee: &Employee, name: &str, change: &Value) -> Option<Fault> {
    match name {
        // A null would empty the map; its entries go one by one.
        "external_refs" if change.is_null() => Some(Fault::WrongType { expected: "object of strings" }),
        "customFields" if change.is_null() => Some(Fault::WrongType { expected: "object" }),
        "status" if *change == json!(employee.profile.status) => None,
        "status" => ended(employee),
        known if WRITABLE.contains(&known) => None,
        known if READ_ONLY.contains(&known) => Some(Fault::ReadOnly),
        known if OF_THE_END.contains(&known) => Some(Fault::UseTerminate),
        unknown => Some(field::unknown(unknown, WRITABLE)),
    }
}

/// Why the status of someone whose employment ends or has ended is not written: what does it instead.
fn ended(employee: &Employee) -> Option<Fault> {
    match employee.profile.status {
        Status::Terminating => Some(Fault::CancelTermination),
        Status::Terminated => Some(Fault::UseRehire),
        Status::Onboarding | Status::Active | Status::OnLeave => None,
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

/// Puts a null into `merged` for each custom field that `patch` takes away, so that one that does not exist is
/// told like any other.
fn note_removals(merged: &mut Value, patch: &Map<String, Value>) {
    for (slug, value) in patch.get("customFields").and_then(Value::as_object).into_iter().flatten() {
        if value.is_null() {
            merged["customFields"][slug] = Value::Null;
        }
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
    "managerId",
    "jobTitle",
    "employmentType",
    "location",
    "department",
    "departmentId",
    "external_refs",
    "customFields",
    "personalEmail",
    "birthDate",
    "gender",
    "nationality",
    "nationalId",
    "homeAddress",
];

/// The fields of `employee` that a client may write, as they stand, without those that are null.
fn writable(employee: &Employee) -> Value {
    let mut all = json!(employee);
    if let Value::Object(all) = &mut all {
        if !employee.sensitive.is_empty() {
            all.extend(employee.sensitive.to_map());
        }
        all.insert("customFields".to_owned(), json!(employee.custom_fields.all()));
        let kept = |name: &str| name != "status" || ended(employee).is_none();
        all.retain(|name, value| WRITABLE.contains(&name.as_str()) && !value.is_null() && kept(name));
    }
    all
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

/// A status that a client writes; those of the end come from calls of their own.
fn status(value: &Value) -> Result<Status, Fault> {
    match Status::parse(string(value)?) {
        Some(Status::Terminating | Status::Terminated) => Err(Fault::UseTerminate),
        Some(status) => Ok(status),
        None => Err(Fault::NotAllowed { choices: Status::WRITABLE.join(", ") }),
    }
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

fn custom_fields(fields: &mut Fields<'_>) -> Values {
    let object =
        fields.take("customFields", |value| value.as_object().ok_or(Fault::WrongType { expected: "object" }));
    object.into_iter().flatten().map(|(slug, value)| (slug.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::custom_field::CustomValues;
    use crate::id::CompanyId;
    use proptest::prelude::*;

    fn today() -> Date {
        Date::parse("2026-03-02").expect("a day")
    }

    fn hired(body: &Value) -> Employee {
        let new = NewEmployee::parse(body, today()).expect("a valid hire");
        Employee {
            id: EmployeeId::parse("emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B").expect("an id"),
            company_id: CompanyId::parse("cmp_01JQ8Z6X3V4M5N6P7R8S9T0A1B").expect("an id"),
            original_hire_date: new.profile.start_date,
            profile: new.profile,
            end_date: None,
            termination_reason: None,
            department: new.department,
            department_id: None,
            custom_fields: CustomValues::default(),
            version: 1,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
            sensitive: new.sensitive,
            due_on: None,
            former: None,
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
            ("/status", "use_terminate"),
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
    fn a_sensitive_field_merges_like_any_object_and_shows_nowhere_by_itself() {
        let ana = hired(&json!({
            "fullName": "Ana", "email": "ana@acme.test", "gender": "female", "birthDate": "1990-02-28",
            "homeAddress": {"line1": "Calle Mayor 1", "line2": "3.º B", "city": "Madrid", "country": "es"},
        }));
        for name in super::super::SENSITIVE {
            assert!(json!(ana).get(*name).is_none(), "{name}");
        }
        assert!(!format!("{ana:?}").contains("Mayor"));
        let patch = json!({"homeAddress": {"line2": null, "city": "Getafe"}, "gender": null});
        let moved = NewEmployee::patched(&ana, &patch, today()).expect("valid").sensitive;
        assert_eq!(
            json!(moved),
            json!({
                "personalEmail": null, "birthDate": "1990-02-28", "gender": null, "nationality": null,
                "nationalId": null, "homeAddress": {"line1": "Calle Mayor 1", "line2": null, "city": "Getafe",
                    "region": null, "postalCode": null, "country": "ES"},
            })
        );
        let wrong = json!({"homeAddress": {"city": null, "street": "x"}, "birthDate": "2026-03-03"});
        let expected = [
            ("/birthDate", "in_future"),
            ("/homeAddress/city", "required"),
            ("/homeAddress/street", "unknown_field"),
        ];
        let faults = codes(NewEmployee::patched(&ana, &wrong, today()).expect_err("refused"));
        assert_eq!(faults, expected.map(|(at, code)| (at.to_owned(), code)));
    }

    #[test]
    fn a_status_of_the_end_is_not_written_but_stays_under_a_patch() {
        let mut ana = hired(&json!({"fullName": "Ana", "email": "ana@acme.test", "startDate": "2026-01-01"}));
        ana.end_date = Date::parse("2026-02-01");
        for (status, way_out) in
            [(Status::Terminating, "cancel_termination"), (Status::Terminated, "use_rehire")]
        {
            ana.profile.status = status;
            let patched = |patch: Value| NewEmployee::patched(&ana, &patch, today()).map_err(codes);
            let kept = patched(json!({"jobTitle": "Jefa", "status": status})).expect("valid");
            assert_eq!(kept.profile.status, status);
            for wish in ["active", "onboarding", "asleep"] {
                let refused = patched(json!({ "status": wish })).expect_err("refused");
                assert_eq!(refused, [("/status".to_owned(), way_out)]);
            }
            let late =
                patched(json!({"startDate": "2026-02-02", "endDate": "2026-03-01"})).expect_err("refused");
            assert_eq!(
                late,
                [("/endDate".to_owned(), "use_terminate"), ("/startDate".to_owned(), "end_before_start")]
            );
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
