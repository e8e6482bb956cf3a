//! The schemas of people and of the departments that they work in.

use orquiva_core::Scope;
use orquiva_core::custom_field::FieldType;
use orquiva_core::employee::{EmploymentType, Gender, NationalIdType, Status};
use serde_json::{Value, json};

use super::others::problem_of_item;
use super::samples::{COMPANY, DEPARTMENT, EMPLOYEE, MOMENT};
use super::shapes::{
    By, Field, Resource, address_of_mail, day, field, flag, id, list, map, moment, nullable, object, pattern,
    refer, said, string, text, whole, word,
};

/// How often it changed, and when.
fn history() -> [Field; 3] {
    [
        field(
            "version",
            By::Server,
            whole(1, i64::MAX),
            "Counts the changes, from 1; the `ETag` shows it.",
            1,
        ),
        field("createdAt", By::Server, moment(), "When it was created.", MOMENT),
        field("updatedAt", By::Server, moment(), "When it last changed.", MOMENT),
    ]
}

/// Someone who works for a company.
pub(super) fn employee() -> Resource {
    let mut fields = vec![
        field("id", By::Server, id("emp"), "Its id, never used again.", EMPLOYEE),
        field("companyId", By::Server, id("cmp"), "Whose employee it is.", COMPANY),
    ];
    fields.extend(profile());
    fields.extend([
        field("originalHireDate", By::ServerOrNone, day(), "The first of all first days.", "2026-01-01"),
        field(
            "endDate",
            By::ServerOrNone,
            day(),
            "The day on which the employment ends or ended.",
            Value::Null,
        ),
        field("terminationReason", By::ServerOrNone, text(500), "Why it ends or ended.", Value::Null),
    ]);
    fields.extend(history());
    fields.extend(sensitive());
    fields.push(field("_meta", By::Some, refer("Meta"), "What is hidden of it.", Value::Null));
    Resource {
        name: "Employee",
        what: "Someone who works for the company. To hire it takes `email`, and `fullName` or both `firstName` and `lastName`.",
        fields,
        new: json!({ "fullName": "Ana Pérez", "email": "ana@acme.es", "department": "Ventas", "startDate": "2026-01-01" }),
        patch: json!({ "jobTitle": "Directora de ventas", "external_refs": { "stripe_id": "cus_1" } }),
    }
}

fn profile() -> Vec<Field> {
    let refs = || map(text(255));
    let refs_written = |values: Value| {
        json!({ "type": "object", "maxProperties": 50, "propertyNames": { "pattern": "^[A-Za-z0-9_.-]{1,64}$" },
                "additionalProperties": values })
    };
    vec![
        field("fullName", By::Either, text(200), "The whole name; made of its parts if only they are sent.", "Ana Pérez"),
        field("firstName", By::Client, text(100), "Given name.", "Ana"),
        field("lastName", By::Client, text(100), "First surname.", "Pérez"),
        field("secondLastName", By::Client, text(100), "Second surname, where there is one.", Value::Null),
        field("preferredName", By::Client, text(100), "What colleagues call them.", Value::Null),
        field(
            "email",
            By::Needed,
            address_of_mail(),
            "Work e-mail, unique in the company.",
            "ana@acme.es",
        ),
        field(
            "phone",
            By::Client,
            pattern(r"^\+[1-9][0-9]{6,14}$"),
            "Work telephone (E.164). Spaces, dots, hyphens and brackets may be sent and are dropped.",
            "+34600123456",
        )
        .written(nullable(pattern(r"^\+[0-9 .()-]{7,}$"))),
        field("employeeNumber", By::Client, text(64), "The number in payroll, unique in the company.", "A-0042"),
        field("status", By::Either, word(Status::ALL), "Where they stand.", "active")
            .written(nullable(word(Status::WRITABLE))),
        field("startDate", By::Client, day(), "First day of work.", "2026-01-01"),
        field("managerId", By::Client, id("emp"), "Whom they report to.", Value::Null),
        field("jobTitle", By::Client, text(200), "What they do.", "Comercial"),
        field("employmentType", By::Client, word(EmploymentType::ALL), "The kind of contract.", "full_time"),
        field("location", By::Client, text(200), "Where they work.", "Madrid"),
        field(
            "external_refs",
            By::Either,
            refs(),
            "The same person in other systems: system → id there. Each pair is unique in the company. A patch \
             merges it key by key, and a null removes one.",
            json!({ "stripe_id": "cus_1" }),
        )
        .written(refs_written(nullable(text(255)))),
        field(
            "department",
            By::Client,
            text(100),
            "The department's name. A new name creates the department; case and accents do not matter.",
            "Ventas",
        ),
        field("departmentId", By::Client, id("dep"), "The department's id.", DEPARTMENT),
        field(
            "customFields",
            By::Either,
            map(custom_value()),
            "The values of the fields that the company has added, by slug. A patch merges it key by key, and a null \
             removes one.",
            json!({ "talla": "M" }),
        )
        .written(nullable(map(nullable(custom_value())))),
    ]
}

/// A value of a field that the company has added.
pub(super) fn custom_value() -> Value {
    json!({ "anyOf": [{ "type": "string" }, { "type": "number" }, { "type": "boolean" }] })
}

/// The fields that are there only for who holds the scope.
fn sensitive() -> [Field; 6] {
    [
        field("personalEmail", By::Sensitive, address_of_mail(), "The address at home.", "ana@example.com"),
        field("birthDate", By::Sensitive, day(), "Day of birth.", "1990-04-12"),
        field("gender", By::Sensitive, word(Gender::ALL), "As they state it.", "female"),
        field("nationality", By::Sensitive, country(), "A country.", "ES"),
        field("nationalId", By::Sensitive, refer("NationalId"), "The identity document.", Value::Null),
        field("homeAddress", By::Sensitive, refer("Address"), "Where they live.", Value::Null),
    ]
}

/// A country (ISO 3166-1 alpha-2).
fn country() -> Value {
    pattern("^[A-Za-z]{2}$")
}

/// The schemas that are no resource, by name.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let own = |(name, schema): (&str, Value)| (name.to_owned(), schema);
    let all = [
        ("Meta", meta()),
        ("NationalId", national_id()),
        ("Address", postal_address()),
        ("Termination", termination()),
        ("Rehire", rehire()),
        ("Batch", batch()),
        ("BatchItem", batch_item()),
        ("BatchResult", batch_result()),
        ("BatchItemResult", batch_item_result()),
        ("EmployeeLines", lines()),
    ];
    all.map(own).to_vec()
}

fn meta() -> Value {
    let scope = Scope::EmployeesSensitiveRead.as_str();
    let mut redacted = object(
        "A field that is hidden, and the scope that shows it.",
        &[
            ("field", string(), "The field.", json!("birthDate")),
            ("scope", string(), "What it takes to see it.", json!(scope)),
        ],
    );
    redacted.as_object_mut().map(|schema| schema.shift_remove("examples"));
    object(
        "What an answer does not show, and why.",
        &[("redacted", list(redacted), "What is hidden.", json!([{ "field": "birthDate", "scope": scope }]))],
    )
}

fn national_id() -> Value {
    json!({
        "type": "object",
        "description": "An identity document. The letter of a DNI or NIE is checked.",
        "required": ["type", "value"],
        "properties": {
            "type": said(word(NationalIdType::ALL), "Its kind."),
            "value": said(text(50), "Its number."),
            "country": said(nullable(country()), "Who issued it; needed unless it is a DNI or NIE, which are Spain's."),
        },
        "additionalProperties": false,
        "examples": [{ "type": "dni", "value": "12345678Z", "country": "ES" }],
    })
}

fn postal_address() -> Value {
    json!({
        "type": "object",
        "description": "A postal address.",
        "required": ["line1", "city", "country"],
        "properties": {
            "line1": said(text(200), "Street and number."),
            "line2": said(nullable(text(200)), "Floor, door, or whatever else."),
            "city": said(text(100), "Town."),
            "region": said(nullable(text(100)), "Province, state or region."),
            "postalCode": said(nullable(text(20)), "Postal code."),
            "country": said(country(), "Country."),
        },
        "additionalProperties": false,
        "examples": [{ "line1": "Calle Mayor 1", "city": "Madrid", "postalCode": "28013", "country": "ES" }],
    })
}

fn termination() -> Value {
    json!({
        "type": "object",
        "description": "The end of an employment.",
        "properties": {
            "effectiveDate": said(nullable(day()), "From the beginning of which day on (UTC) they no longer work here; this day, if none is sent."),
            "reason": said(nullable(text(500)), "Why."),
        },
        "additionalProperties": false,
        "examples": [{ "effectiveDate": "2026-06-30", "reason": "voluntary" }],
    })
}

/// What is sent to take someone on again: the first day, and whatever else is to change.
fn rehire() -> Value {
    let mut schema = employee().patched();
    schema["description"] =
        "The first day of the new employment, and what else changes, as a merge patch.".into();
    schema["required"] = json!(["startDate"]);
    schema["properties"]["startDate"] = said(day(), "First day of work.");
    schema["properties"].as_object_mut().map(|properties| properties.shift_remove("status"));
    schema["examples"] = json!([{ "startDate": "2026-09-01", "jobTitle": "Directora de ventas" }]);
    schema
}

fn batch() -> Value {
    json!({
        "type": "object",
        "description": "Hires, changes and removals, carried out in order in one transaction.",
        "required": ["items"],
        "properties": {
            "atomic": said(nullable(flag()), "Whether all of them are carried out or none; otherwise each by itself."),
            "items": {
                "type": "array",
                "description": "What is to be done.",
                "items": refer("BatchItem"),
                "minItems": 1,
                "maxItems": 500,
            },
        },
        "additionalProperties": false,
        "examples": [{ "items": [{ "op": "create", "data": employee().new }] }],
    })
}

fn batch_item() -> Value {
    json!({
        "type": "object",
        "description": "One of a batch. A bad one is told in its own result, and does not refuse the others.",
        "properties": {
            "op": said(word(&["create", "update", "delete"]), "What is done; `create` if it is not there."),
            "id": said(id("emp"), "Whom an `update` or `delete` is of."),
            "ifMatch": said(string(), "An `ETag`: only this version is changed or removed."),
            "data": said(json!({ "type": "object" }), "A `NewEmployee` to create, an `EmployeePatch` to update."),
        },
        "examples": [{ "op": "update", "id": EMPLOYEE, "data": employee().patch }],
    })
}

fn batch_result() -> Value {
    let mut schema = object(
        "What became of a batch.",
        &[
            ("succeeded", whole(0, 500), "How many were carried out.", json!(1)),
            ("failed", whole(0, 500), "How many were refused.", json!(0)),
            (
                "results",
                list(refer("BatchItemResult")),
                "What became of each, in order.",
                json!([{ "index": 0, "status": 204 }]),
            ),
        ],
    );
    schema["properties"]["_meta"] = said(refer("Meta"), "What is hidden of the employees.");
    schema
}

fn batch_item_result() -> Value {
    json!({
        "type": "object",
        "description": "What became of one item.",
        "required": ["index", "status"],
        "properties": {
            "index": said(whole(0, 499), "Its place in the batch."),
            "status": said(whole(200, 599), "What it would have got as a request of its own."),
            "data": said(refer("Employee"), "The employee as it is now."),
            "problem": problem_of_item(),
        },
        "examples": [{ "index": 0, "status": 204 }],
    })
}

fn lines() -> Value {
    json!({
        "type": "string",
        "description": "One `Employee` a line, as JSON (NDJSON).",
        "examples": [format!("{}\n", employee().example())],
    })
}

/// A part of a company.
pub(super) fn department() -> Resource {
    let mut fields = vec![
        field("id", By::Server, id("dep"), "Its id, never used again.", DEPARTMENT),
        field(
            "name",
            By::Needed,
            text(100),
            "Unique in the company without regard to case and accents.",
            "Ventas",
        ),
        field(
            "code",
            By::Client,
            text(64),
            "A short name of the company's own, unique where there is one.",
            "VEN",
        ),
        field("parentId", By::Client, id("dep"), "The department that it stands under.", Value::Null),
        field(
            "leadIds",
            By::Either,
            json!({ "type": "array", "items": id("emp"), "maxItems": 20, "uniqueItems": true }),
            "The employees who lead it.",
            json!([EMPLOYEE]),
        ),
    ];
    fields.extend(history());
    Resource {
        name: "Department",
        what: "A part of the company, in which people work and under which other parts may stand.",
        fields,
        new: json!({ "name": "Ventas", "code": "VEN" }),
        patch: json!({ "name": "Comercial" }),
    }
}

/// A field that the company has added.
fn custom_field() -> Resource {
    let mut fields = vec![
        field(
            "slug",
            By::Needed,
            pattern("^[a-z][a-z0-9_]{0,39}$"),
            "Its name in JSON; it never changes.",
            "talla",
        ),
        field("label", By::Needed, text(100), "Its name for people.", "Talla"),
        field("type", By::Needed, word(FieldType::ALL), "Which values it takes; it never changes.", "choice"),
        field(
            "choices",
            By::Client,
            json!({ "type": "array", "items": text(100), "minItems": 1, "maxItems": 200 }),
            "What there is to choose from; a `choice` needs it, and no other type has it.",
            json!(["S", "M", "L"]),
        ),
        field(
            "sensitive",
            By::Either,
            flag(),
            "Whether it takes `employees.sensitive:read` to see it.",
            false,
        ),
    ];
    fields.extend(history());
    Resource {
        name: "CustomField",
        what: "A field that the company has added to its employees.",
        fields,
        new: json!({ "slug": "talla", "label": "Talla", "type": "choice", "choices": ["S", "M", "L"] }),
        patch: json!({ "label": "Talla de camiseta" }),
    }
}

/// All of them by name.
pub(super) fn resources() -> [Resource; 3] {
    [employee(), department(), custom_field()]
}
