//! A department as a form has it.

use orquiva_core::id::EmployeeId;
use orquiva_store::employee;
use serde_json::{Map, Value, json};

use super::tree::Unit;
use crate::console::Console;
use crate::form::Form;
use crate::member::Member;
use crate::people::{known_by, nobody};
use crate::show::Faults;
use crate::stop::Stop;

/// A department as it stands in a form, right or wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) code: String,
    pub(super) parent: String,
    /// Ids and names of those who lead it.
    pub(super) leads: Vec<(String, String)>,
    /// The e-mail of someone who is to lead it too.
    pub(super) new_lead: String,
}

impl Draft {
    /// As it is.
    pub(super) async fn of(console: &Console, member: &Member, unit: &Unit) -> Result<Self, Stop> {
        Ok(Self {
            name: unit.name.clone(),
            code: unit.code.clone(),
            parent: unit.parent.map(|id| id.to_string()).unwrap_or_default(),
            leads: named(console, member, &unit.leads).await?,
            new_lead: String::new(),
        })
    }

    /// As it was sent.
    pub(super) async fn read(console: &Console, member: &Member, form: &Form) -> Result<Self, Stop> {
        let leads: Vec<_> = form.all("lead").filter_map(EmployeeId::parse).collect();
        Ok(Self {
            name: form.text("name").to_owned(),
            code: form.text("code").to_owned(),
            parent: form.text("parentId").to_owned(),
            leads: named(console, member, &leads).await?,
            new_lead: form.text("new_lead").to_owned(),
        })
    }

    /// What the API is sent: of a department that is there, what differs from `before`.
    pub(super) async fn body(
        &self,
        console: &Console,
        member: &Member,
        before: Option<&Self>,
        faults: &mut Faults,
    ) -> Result<Value, Stop> {
        let mut leads: Vec<String> = self.leads.iter().map(|(id, _)| id.clone()).collect();
        if !self.new_lead.is_empty() {
            match known_by(console, member, &self.new_lead).await? {
                Some(id) if leads.contains(&id) => {}
                Some(id) => leads.push(id),
                None => faults.add("new_lead", nobody(member)),
            }
        }
        let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        let mut body = Map::new();
        let was = |part: fn(&Self) -> &str| before.map(|before| part(before).to_owned());
        for (name, value, was) in [
            ("name", &self.name, was(|draft| &draft.name)),
            ("code", &self.code, was(|draft| &draft.code)),
            ("parentId", &self.parent, was(|draft| &draft.parent)),
        ] {
            if was.as_ref() != Some(value) {
                body.insert(name.to_owned(), text(value));
            }
        }
        let had: Option<Vec<_>> =
            before.map(|before| before.leads.iter().map(|(id, _)| id.clone()).collect());
        if had.as_ref() != Some(&leads) {
            body.insert("leadIds".to_owned(), json!(leads));
        }
        Ok(Value::Object(body))
    }
}

/// Ids and names of people, in the order of `ids`.
async fn named(
    console: &Console,
    member: &Member,
    ids: &[EmployeeId],
) -> Result<Vec<(String, String)>, Stop> {
    let people = employee::people(&console.store.read().await?, member.company.id, ids).await?;
    let name = |id: &EmployeeId| people.iter().find(|one| one.id == *id).map(|one| one.full_name.clone());
    Ok(ids.iter().filter_map(|id| Some((id.to_string(), name(id)?))).collect())
}
