//! What has changed of a person, by whom, from what to what: the event log as people read it.

use std::collections::{BTreeSet, HashMap};

use orquiva_core::id::{ClientId, EmployeeId, UserId};
use orquiva_core::{Employee, Language, Right, Timestamp};
use orquiva_store::event::{self, Event};
use orquiva_store::{StoreError, Tx, client, employee, user};
use serde_json::Value;

use super::draft::text_at;
use super::words::{label, shown};
use crate::console::Console;
use crate::member::Member;
use crate::stop::Stop;

/// Events that a page shows.
const AT_ONCE: usize = 20;

/// A part of a history, the newest first.
pub(super) struct History {
    pub(super) steps: Vec<Step>,
    /// Before which place it goes on, if it does.
    pub(super) next: Option<i64>,
}

/// Something that happened.
pub(super) struct Step {
    pub(super) what: String,
    pub(super) who: String,
    pub(super) at: Timestamp,
    pub(super) changes: Vec<Change>,
}

/// A field that changed.
pub(super) struct Change {
    pub(super) field: String,
    pub(super) from: String,
    pub(super) to: String,
}

/// The history of someone, before a place or from now.
pub(super) async fn history(
    console: &Console,
    member: &Member,
    of: &Employee,
    before: Option<i64>,
) -> Result<History, Stop> {
    let tx = console.store.read().await?;
    let (company, limit) = (member.company.id, AT_ONCE as i64);
    let mut found = event::history(&tx, company, of.id, before, limit + 1).await?;
    let more = found.len() > AT_ONCE;
    found.truncate(AT_ONCE);
    let next = found.last().map(|(position, _)| *position).filter(|_| more);
    let mut events: Vec<_> = found.into_iter().map(|(_, event)| event).collect();
    if !more {
        events.extend(event::birth(&tx, company, of.id, of.created_at).await?);
    }
    let reader = Reader { language: member.guest.language, sensitive: member.may(Right::SeeSensitive) };
    let told: Vec<_> = events.iter().map(|event| (event, reader.payload(event))).collect();
    let names = names(&tx, member, &told).await?;
    let steps = told.iter().map(|(event, payload)| reader.step(event, payload, &names)).collect();
    Ok(History { steps, next })
}

/// The names of those who did something, and of managers, by their ids.
type Names = HashMap<String, String>;

async fn names(tx: &Tx, member: &Member, told: &[(&Event, Value)]) -> Result<Names, StoreError> {
    let mut names = Names::new();
    let ids: BTreeSet<_> = told.iter().map(|(_, payload)| text_at(payload, "actor.id")).collect();
    for id in ids {
        let name = match (ClientId::parse(&id), UserId::parse(&id)) {
            (Some(client), _) => client::get(tx, member.company.id, client).await.map(|one| one.terms.name),
            (None, Some(someone)) => user::get(tx, someone).await.map(|one| one.name),
            (None, None) => continue,
        };
        match name {
            Ok(name) => drop(names.insert(id, name)),
            Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    let managers = told.iter().flat_map(|(_, payload)| {
        ["previous.managerId", "data.managerId"].map(|path| EmployeeId::parse(&text_at(payload, path)))
    });
    let managers: Vec<_> = managers.flatten().collect::<BTreeSet<_>>().into_iter().collect();
    for person in employee::people(tx, member.company.id, &managers).await? {
        names.insert(person.id.to_string(), person.full_name);
    }
    Ok(names)
}

struct Reader {
    language: Language,
    sensitive: bool,
}

impl Reader {
    fn payload(&self, event: &Event) -> Value {
        serde_json::from_str(&event.seen(self.sensitive)).unwrap_or(Value::Null)
    }

    fn step(&self, event: &Event, payload: &Value, names: &Names) -> Step {
        let language = self.language;
        let actor = text_at(payload, "actor.id");
        let who = match names.get(&actor) {
            Some(name) => name.clone(),
            None if actor.is_empty() => "Orquiva".to_owned(),
            None => actor,
        };
        let what = match event.kind.as_str() {
            "employee.created" => language.pick("Alta", "Hired"),
            "employee.updated" => language.pick("Cambio de datos", "Data changed"),
            "employee.started" => language.pick("Primer día", "First day"),
            "employee.termination_scheduled" => language.pick("Baja programada", "Termination scheduled"),
            "employee.terminated" => language.pick("Baja", "Terminated"),
            "employee.termination_cancelled" => language.pick("Baja cancelada", "Termination cancelled"),
            "employee.rehired" => language.pick("Readmisión", "Rehired"),
            other => other,
        };
        let changed = payload["changed"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let changed: Vec<_> = changed.collect();
        let told = changed.iter().filter(|name| **name != "departmentId" || !changed.contains(&"department"));
        let changes = told.flat_map(|name| self.changes(name, payload, names)).collect();
        Step { what: what.to_owned(), who, at: event.created_at, changes }
    }

    /// What changed of the field `name`: of a map or an object each part by itself.
    fn changes(&self, name: &str, payload: &Value, names: &Names) -> Vec<Change> {
        let (was, is) = (payload["previous"].get(name), &payload["data"][name]);
        let hidden = self.language.pick("(protegido)", "(protected)");
        let title = match name {
            "external_refs" | "customFields" => String::new(),
            name => label(name, self.language).to_owned(),
        };
        let Some(was) = was else {
            // Whoever may not see it is told that it changed, and no more.
            let field = if title.is_empty() {
                self.language.pick("Campos propios", "Own fields").to_owned()
            } else {
                title
            };
            return vec![Change { field, from: hidden.to_owned(), to: hidden.to_owned() }];
        };
        if !was.is_object() && !is.is_object() {
            return vec![Change {
                field: title,
                from: self.value(name, was, names),
                to: self.value(name, is, names),
            }];
        }
        let keys = |value: &Value| {
            value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
        };
        let keys: BTreeSet<_> = keys(was).into_iter().chain(keys(is)).collect();
        let differing = keys.into_iter().filter(|key| was[key] != is[key]);
        differing
            .map(|key| {
                let path = format!("{name}.{key}");
                let field =
                    if title.is_empty() { key.clone() } else { label(&path, self.language).to_owned() };
                Change {
                    field,
                    from: self.value(&path, &was[&key], names),
                    to: self.value(&path, &is[&key], names),
                }
            })
            .collect()
    }

    fn value(&self, name: &str, value: &Value, names: &Names) -> String {
        let text = match value {
            Value::Bool(true) => self.language.pick("sí", "yes").to_owned(),
            Value::Bool(false) => "no".to_owned(),
            value => text_at(value, ""),
        };
        match names.get(&text) {
            Some(name) => name.clone(),
            None if text.is_empty() => self.language.pick("vacío", "empty").to_owned(),
            None => shown(name, &text, self.language),
        }
    }
}
