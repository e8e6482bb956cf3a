//! Someone in the console who asks the API from inside, and what the audit is told of what they do.

use orquiva_core::Scopes;
use orquiva_core::employee::SENSITIVE;
use orquiva_core::event::Actor;
use orquiva_core::id::CompanyId;
use orquiva_people::Pen;
use orquiva_store::{StoreError, Tx, audit};
use serde_json::Value;

use crate::answer::Answer;

/// Who asks from inside.
#[derive(Clone, Debug)]
pub struct Insider {
    /// In which company.
    pub company: CompanyId,
    /// Who.
    pub actor: Actor,
    /// What they may do.
    pub scopes: Scopes,
    /// What the audit is told, if they change something.
    pub note: Option<Note>,
}

/// What the audit is told of a change, beside what the change itself tells.
#[derive(Clone, Debug)]
pub struct Note {
    /// Who, as they are called.
    pub actor_name: String,
    /// From where.
    pub address: Option<String>,
    /// What was done: `webhook.created`.
    pub action: String,
    /// To what, by id; what the answer calls `id` if this is empty.
    pub target: String,
    /// What was there.
    pub before: Option<Value>,
}

impl Note {
    /// Adds the entry, in the transaction of the change. What is secret of the answer is left out, and what of a
    /// person only some may see: of that the event tells.
    pub(crate) async fn add(&self, tx: &Tx, pen: &Pen, answer: &Answer) -> Result<(), StoreError> {
        let mut after = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        forget_secrets(&mut after);
        let target = match self.target.is_empty() {
            true => after["id"].as_str().unwrap_or_default().to_owned(),
            false => self.target.clone(),
        };
        let before = self.before.clone().map(|mut before| {
            forget_secrets(&mut before);
            before.to_string()
        });
        let entry = audit::Entry {
            id: pen.mint.next(),
            at: pen.now,
            actor_type: pen.actor.kind(),
            actor_id: pen.actor.id(),
            actor_name: self.actor_name.clone(),
            address: self.address.clone(),
            action: self.action.clone(),
            target,
            before,
            after: (!after.is_null()).then(|| after.to_string()),
        };
        audit::add(tx, pen.company, &entry).await
    }
}

fn forget_secrets(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // A person's own fields may hold what is sensitive, and the name alone does not say so.
            let secret =
                |name: &str| matches!(name, "secret" | "client_secret" | "previousSecret" | "customFields");
            fields.retain(|name, _| !secret(name) && !SENSITIVE.contains(&name.as_str()));
            fields.values_mut().for_each(forget_secrets);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
