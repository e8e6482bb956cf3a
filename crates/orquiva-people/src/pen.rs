//! What every verb is given, why it may be refused, and how it is announced.

use std::sync::Arc;

use orquiva_core::event::{API_VERSION, Actor, EventType, NewEvent};
use orquiva_core::id::{CompanyId, Mint};
use orquiva_core::{FieldError, Timestamp};
use orquiva_store::{StoreError, Tx, event};
use serde_json::{Value, json};

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
    /// The resource is no longer what the caller believes (`If-Match`).
    #[error("the resource has changed in the meantime")]
    Stale,
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    let mut payload =
        json!({ "apiVersion": API_VERSION, "companyId": pen.company, "actor": pen.actor, "data": data });
    if let Some((changed, previous)) = difference {
        payload["changed"] = json!(changed);
        payload["previous"] = previous;
    }
    let new = NewEvent { id: pen.mint.next(), kind, subject, at: pen.now, payload: payload.to_string() };
    event::announce(tx, pen.company, &new).await
}
