//! The schemas of people and of the departments that they work in.

use orquiva_core::employee::{EmploymentType, Status};
use serde_json::{Value, json};

use super::shapes::{By, Field, Resource, day, field, id, map, moment, nullable, pattern, text, whole, word};

pub(super) const COMPANY: &str = "cmp_01KDVFA1008CR9TPWA4RSS4BJ6";
pub(super) const EMPLOYEE: &str = "emp_01KDVFA10P8CR9TPWA4RSS4BJ7";
pub(super) const DEPARTMENT: &str = "dep_01KDVFA1198CR9TPWA4RSS4BJ8";
pub(super) const MOMENT: &str = "2026-01-01T09:00:00.000Z";

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
    fields.extend(history());
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
            json!({ "type": "string", "format": "email", "maxLength": 254 }),
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
        field("status", By::Either, word(Status::ALL), "Where they stand.", "active"),
        field("startDate", By::Client, day(), "First day of work.", "2026-01-01"),
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
    ]
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

/// All of them by name.
pub(super) fn resources() -> [Resource; 2] {
    [employee(), department()]
}
