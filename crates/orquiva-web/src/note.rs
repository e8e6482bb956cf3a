//! What the audit is told of a change that goes through the API.

use orquiva_core::employee::SENSITIVE;
use orquiva_core::event::Actor;
use orquiva_people::Pen;
use orquiva_store::{StoreError, Tx, audit, client, custom_field};
use serde_json::{Map, Value, json};

use crate::answer::Answer;

/// What the audit is told of a change, beside what the change itself tells.
#[derive(Clone, Debug)]
pub struct Note {
    /// Who, as they are called; an API client's own name if this is empty.
    pub actor_name: String,
    /// From where.
    pub address: Option<String>,
    /// What was done: `webhook.created`.
    pub action: String,
    /// To what, by id; what the answer calls `id` if this is empty.
    pub target: String,
    /// What was there; what the API itself knows of it if this is nothing.
    pub before: Option<Value>,
}

/// What stands in the place of what is not told.
const HIDDEN: &str = "***";

impl Note {
    /// Adds the entry, in the transaction of the change. What is secret of the answer is left out; of what only some may
    /// see it tells that it changed, and no more: entries are for ever, and not everyone who reads them may see it.
    pub(crate) async fn add(&self, tx: &Tx, pen: &Pen, answer: &Answer) -> Result<(), StoreError> {
        let mut after: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        let mut before = self.before.clone().or_else(|| answer.before.clone()).unwrap_or(Value::Null);
        let target = match self.target.is_empty() {
            true => after["id"].as_str().unwrap_or_default().to_owned(),
            false => self.target.clone(),
        };
        let is_person = |value: &Value| {
            value.as_object().is_some_and(|fields| fields.keys().any(|name| is_persons(name)))
        };
        if is_person(&before) || is_person(&after) {
            let own = custom_field::sensitive(tx, pen.company).await?;
            hide_sensitive(&mut before, &mut after, &own);
        }
        forget_secrets(&mut before, false);
        forget_secrets(&mut after, false);
        let actor_name = match (self.actor_name.is_empty(), pen.actor) {
            (true, Actor::Client { id }) => client::get(tx, pen.company, id).await?.terms.name,
            (true, Actor::User { .. } | Actor::System) | (false, _) => self.actor_name.clone(),
        };
        let text = |value: Value| (!value.is_null()).then(|| value.to_string());
        let entry = audit::Entry {
            id: pen.mint.next(),
            at: pen.now,
            actor_type: pen.actor.kind(),
            actor_id: pen.actor.id(),
            actor_name,
            address: self.address.clone(),
            action: self.action.clone(),
            target,
            before: text(before),
            after: text(after),
        };
        audit::add(tx, pen.company, &entry).await
    }
}

/// Of an employee, leaves out what is sensitive and did not change, and tells of the rest only that it is or was there.
/// `own` are the sensitive ones of the company's own fields.
fn hide_sensitive(before: &mut Value, after: &mut Value, own: &[String]) {
    let (Some(was), Some(now)) = (fields(before), fields(after)) else { return };
    hide(was, now, SENSITIVE.iter().copied());
    let mut none = (json!({}), json!({}));
    let (was, now) = (was.get_mut("customFields"), now.get_mut("customFields"));
    let was = was.unwrap_or(&mut none.0).as_object_mut();
    let now = now.unwrap_or(&mut none.1).as_object_mut();
    if let (Some(was), Some(now)) = (was, now) {
        hide(was, now, own.iter().map(String::as_str));
    }
}

/// The fields of an object; of nothing, none.
fn fields(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut()
}

fn hide<'n>(
    was: &mut Map<String, Value>,
    now: &mut Map<String, Value>,
    names: impl Iterator<Item = &'n str>,
) {
    for name in names {
        if was.get(name) == now.get(name) {
            was.remove(name);
            now.remove(name);
        }
        for side in [&mut *was, &mut *now] {
            if let Some(value) = side.get_mut(name).filter(|value| !value.is_null()) {
                *value = HIDDEN.into();
            }
        }
    }
}

/// Whether what has this name may be sensitive, of a person.
fn is_persons(name: &str) -> bool {
    name == "customFields" || SENSITIVE.contains(&name)
}

/// Forgets what is secret; of people within something else, such as the results of a batch, also what is sensitive.
fn forget_secrets(value: &mut Value, within: bool) {
    match value {
        Value::Object(fields) => {
            let secret = |name: &str| matches!(name, "secret" | "client_secret" | "previousSecret");
            fields.retain(|name, _| !(secret(name) || within && is_persons(name)));
            fields.values_mut().for_each(|inner| forget_secrets(inner, true));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| forget_secrets(item, true)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_sensitive_it_is_told_that_it_changed_and_no_more() {
        let mut before = json!({
            "fullName": "Ana", "birthDate": "1990-01-01", "nationalId": null, "gender": "female",
            "customFields": { "iban": "ES1", "shirt": "M" },
        });
        let mut after = json!({
            "fullName": "Ana R", "birthDate": "1990-01-01", "nationalId": { "number": "12345678Z" }, "gender": null,
            "customFields": { "iban": "ES2", "shirt": "L" },
        });
        hide_sensitive(&mut before, &mut after, &["iban".to_owned()]);
        let was = json!({
            "fullName": "Ana", "nationalId": null, "gender": "***", "customFields": { "iban": "***", "shirt": "M" },
        });
        let now = json!({
            "fullName": "Ana R", "nationalId": "***", "gender": null, "customFields": { "iban": "***", "shirt": "L" },
        });
        assert_eq!((before, after), (was, now));
    }

    #[test]
    fn of_people_within_something_else_nothing_sensitive_is_told() {
        let mut told = json!({ "secret": "s", "results": [{ "body": { "fullName": "Ana", "birthDate": "1990-01-01", "customFields": {} } }] });
        forget_secrets(&mut told, false);
        assert_eq!(told, json!({ "results": [{ "body": { "fullName": "Ana" } }] }));
    }

    #[test]
    fn of_someone_new_nothing_sensitive_is_told() {
        let (mut before, mut after) =
            (Value::Null, json!({ "fullName": "Ana", "birthDate": "1990-01-01", "customFields": {} }));
        hide_sensitive(&mut before, &mut after, &[]);
        assert_eq!(after, json!({ "fullName": "Ana", "birthDate": "***", "customFields": {} }));
    }
}
