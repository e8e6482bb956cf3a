//! What every verb is given, why it may be refused, and how it is announced.

use std::sync::Arc;

use orquiva_core::employee::Difference;
use orquiva_core::event::{API_VERSION, Actor, EventType, NewEvent};
use orquiva_core::id::{CompanyId, Mint};
use orquiva_core::{Code, Employee, Fault, FieldError, Timestamp};
use orquiva_store::{StoreError, Tx, event};
use serde_json::{Map, Value, json};

/// Who writes, where, when, and with which ids: all that a verb must not find out for itself.
#[derive(Clone)]
pub struct Pen {
    /// In which company.
    pub company: CompanyId,
    /// Who.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
    /// The next ids.
    pub mint: Arc<Mint>,
}

/// Why a verb was not carried out; nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Fields are wrong, all of them at once.
    #[error("some fields are not valid")]
    Fields(Vec<FieldError>),
    /// Parameters are wrong.
    #[error("some parameters are not valid")]
    Parameters(Vec<FieldError>),
    /// A department that is not empty was to be removed without a replacement.
    #[error("{people} people and {departments} departments are in the department")]
    InUse {
        /// How many people are in it.
        people: i64,
        /// How many departments stand directly under it.
        departments: i64,
    },
    /// A company has as many fields of its own as there may be.
    #[error("the company has added as many fields as it may")]
    TooManyFields,
    /// A field of which people have values was to be removed without force.
    #[error("{people} people have a value of the field")]
    FieldInUse {
        /// How many.
        people: i64,
    },
    /// The resource is no longer what the caller believes (`If-Match`).
    #[error("the resource has changed in the meantime")]
    Stale,
    /// Other nodes changed the employee whenever it was to be changed.
    #[error("others change the employee all the time")]
    Overtaken,
    /// It is not possible as things stand; the code says why, and what is.
    #[error("it is not possible as things stand")]
    Not(Code),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// One field of the body is wrong.
    pub(crate) fn field(pointer: &str, fault: Fault) -> Self {
        Self::Fields(vec![FieldError { pointer: pointer.to_owned(), fault }])
    }

    /// One parameter is wrong.
    pub(crate) fn parameter(name: &str, fault: Fault) -> Self {
        Self::Parameters(vec![FieldError { pointer: name.to_owned(), fault }])
    }
}

/// Something that happened to a resource, as the API shows it.
pub(crate) fn told(
    pen: &Pen,
    kind: EventType,
    subject: String,
    data: Value,
    difference: Option<(Vec<String>, Value)>,
) -> NewEvent {
    let mut payload =
        json!({ "apiVersion": API_VERSION, "companyId": pen.company, "actor": pen.actor, "data": data });
    if let Some((changed, previous)) = difference {
        payload["changed"] = json!(changed);
        payload["previous"] = previous;
    }
    let payload = payload.to_string();
    NewEvent { id: pen.mint.next(), kind, subject, at: pen.now, payload, sensitive: None }
}

/// Writes down that something happened to a resource, as the API shows it.
pub(crate) async fn announce(
    tx: &Tx,
    pen: &Pen,
    kind: EventType,
    subject: String,
    data: Value,
    difference: Option<(Vec<String>, Value)>,
) -> Result<(), StoreError> {
    event::announce(tx, pen.company, &told(pen, kind, subject, data, difference)).await
}

/// Something that happened to an employee; with what was before, if it changed. What is sensitive stands apart, for
/// those who may see it.
pub(crate) fn told_of(
    pen: &Pen,
    kind: EventType,
    employee: &Employee,
    difference: Option<Difference>,
) -> NewEvent {
    let mut sensitive = Map::new();
    let hidden = employee.hidden();
    if !hidden.is_empty() {
        sensitive.insert("data".to_owned(), Value::Object(hidden));
    }
    let difference = difference.map(|Difference { changed, previous, sensitive: hidden }| {
        if !hidden.is_empty() {
            sensitive.insert("previous".to_owned(), Value::Object(hidden));
        }
        (changed, previous)
    });
    let sensitive = (!sensitive.is_empty()).then(|| Value::Object(sensitive).to_string());
    NewEvent { sensitive, ..told(pen, kind, employee.id.to_string(), json!(employee), difference) }
}

/// Writes down that something happened to an employee.
pub(crate) async fn announce_employee(
    tx: &Tx,
    pen: &Pen,
    kind: EventType,
    employee: &Employee,
    difference: Option<Difference>,
) -> Result<(), StoreError> {
    event::announce(tx, pen.company, &told_of(pen, kind, employee, difference)).await
}
