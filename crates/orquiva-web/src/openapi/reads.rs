//! The schemas of employees as a reader asks for them: all their fields or some, and what goes beside them; and of how
//! full the fields are.

use orquiva_core::Scope;
use serde_json::{Value, json};

use super::people::employee;
use super::samples::{DEPARTMENT, EMPLOYEE};
use super::shapes::{
    address_of_mail, count, flag, id, list, nullable, object, refer, said, string, text, word,
};

/// The schemas of this file, by name.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let own = |(name, schema): (&str, Value)| (name.to_owned(), schema);
    let all = [
        ("Person", person()),
        ("DepartmentDetails", department_details()),
        ("WholeEmployee", whole()),
        ("PickedEmployee", picked()),
        ("SeenEmployee", seen()),
        ("Coverage", coverage()),
        ("FieldCoverage", field_coverage()),
    ];
    all.map(own).to_vec()
}

fn person() -> Value {
    object(
        "Someone, in short.",
        &[
            ("id", id("emp"), "Its id.", json!(EMPLOYEE)),
            ("fullName", string(), "The whole name.", json!("Ana Pérez")),
            ("email", address_of_mail(), "Work e-mail.", json!("ana@acme.es")),
        ],
    )
}

fn department_details() -> Value {
    object(
        "A department, in short.",
        &[
            ("id", id("dep"), "Its id.", json!(DEPARTMENT)),
            ("name", string(), "Its name.", json!("Ventas")),
            ("code", nullable(text(64)), "Its short name.", json!("VEN")),
            ("parentId", nullable(id("dep")), "The department that it stands under.", Value::Null),
        ],
    )
}

/// What `expand` puts beside the fields.
fn beside(schema: &mut Value) {
    schema["properties"]["manager"] =
        said(nullable(refer("Person")), "With `expand=manager`: whom they report to.");
    schema["properties"]["departmentDetails"] =
        said(nullable(refer("DepartmentDetails")), "With `expand=department`: the department.");
}

/// With all fields.
fn whole() -> Value {
    let mut schema = employee().shown();
    schema["description"] = "An employee with all the fields that the caller may see.".into();
    beside(&mut schema);
    schema
}

/// With those that `fields` asks for.
fn picked() -> Value {
    let mut schema = employee().shown();
    schema["description"] = "An employee with the fields that `fields` asks for.".into();
    schema["required"] = json!(["id"]);
    schema["examples"] = json!([{ "id": EMPLOYEE, "fullName": "Ana Pérez" }]);
    beside(&mut schema);
    schema
}

fn seen() -> Value {
    json!({
        "description": "An employee: with all fields, or with `fields` those alone.",
        "anyOf": [refer("WholeEmployee"), refer("PickedEmployee")],
        "examples": [employee().example()],
    })
}

fn field_coverage() -> Value {
    let scopes = [Scope::EmployeesRead, Scope::EmployeesSensitiveRead].map(Scope::as_str);
    let mut schema = object(
        "A field of employees, and how full it is.",
        &[
            ("field", string(), "The field.", json!("jobTitle")),
            ("visible", flag(), "Whether the caller sees it.", json!(true)),
            ("scope", word(&scopes), "What it takes to see it.", json!("employees:read")),
        ],
    );
    schema["properties"]["count"] = said(count(), "How many employees have it, where it is visible.");
    schema["properties"]["share"] =
        said(json!({ "type": "number", "minimum": 0, "maximum": 1 }), "The same, of 1.");
    schema["examples"][0]["count"] = 48.into();
    schema["examples"][0]["share"] = 0.96.into();
    schema
}

fn coverage() -> Value {
    let example = field_coverage()["examples"][0].clone();
    object(
        "Which fields of employees the caller sees, and how full they are.",
        &[
            (
                "employees",
                nullable(count()),
                "How many employees there are, for who may see them.",
                json!(50),
            ),
            ("fields", list(refer("FieldCoverage")), "Every field.", json!([example])),
        ],
    )
}
