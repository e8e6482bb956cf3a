//! An employee by what another system calls it: created if nobody has the reference, changed if someone does.

use orquiva_core::id::EmployeeId;
use orquiva_core::{Employee, Fault, FieldError, NewEmployee};
use orquiva_store::{Tx, employee};
use serde_json::{Value, json};

use crate::employees::{change, hire};
use crate::pen::{Pen, Refusal};

/// What another system calls an employee.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The system.
    pub system: String,
    /// The employee's id there.
    pub value: String,
}

/// What became of a [`put`].
#[derive(Debug)]
pub enum Put {
    /// Nobody had the reference: someone was hired.
    Created(Employee),
    /// Someone had it, and is now as the body says.
    Changed(Employee),
}

/// Hires by `body`, or changes by it as a merge patch (RFC 7396), whoever has `reference`; in the end the employee
/// has it. `allows` says whether the caller wants this, given who has the reference now. Of two at the same time
/// one creates; on another node the second may be refused as a duplicate.
pub async fn put(
    tx: &Tx,
    pen: &Pen,
    reference: &Reference,
    body: &Value,
    allows: impl Fn(Option<&Employee>) -> bool,
) -> Result<Put, Refusal> {
    let body = with_reference(body, reference).map_err(|fault| Refusal::Fields(vec![fault]))?;
    let found: Option<EmployeeId> =
        employee::by_ref(tx, pen.company, &reference.system, &reference.value).await?;
    if let Some(id) = found {
        let holds = |employee: &Employee| allows(Some(employee));
        return change(tx, pen, id, &body, holds).await.map(Put::Changed);
    }
    if !allows(None) {
        return Err(Refusal::Stale);
    }
    let new = NewEmployee::parse(&body, pen.now.date()).map_err(Refusal::Fields)?;
    hire(tx, pen, new).await.map(Put::Created)
}

/// The body with the reference in it. It may be there already, but not as another one.
fn with_reference(body: &Value, Reference { system, value }: &Reference) -> Result<Value, FieldError> {
    let refuse = |pointer: String, fault| FieldError { pointer, fault };
    let mut body = body.clone();
    let Some(fields) = body.as_object_mut() else {
        return Err(refuse(String::new(), Fault::WrongType { expected: "object" }));
    };
    let refs = fields.entry("external_refs").or_insert_with(|| json!({}));
    let Some(refs) = refs.as_object_mut() else {
        let fault = Fault::WrongType { expected: "object of strings" };
        return Err(refuse("/external_refs".to_owned(), fault));
    };
    match refs.insert(system.clone(), json!(value)) {
        Some(sent) if sent.as_str().map(str::trim) != Some(value) => {
            Err(refuse(format!("/external_refs/{system}"), Fault::ReferenceDisagrees))
        }
        Some(_) | None => Ok(body),
    }
}
