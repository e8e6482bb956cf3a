//! Someone of the company with what a page needs of them, and the departments to choose from.

use orquiva_core::CustomField;
use orquiva_core::id::EmployeeId;
use orquiva_core::{Language, Right};
use orquiva_store::employee::{self, Person};
use orquiva_store::{custom_field, department};
use serde_json::Value;

use super::draft::{Draft, text_at};
use super::words;
use crate::console::Console;
use crate::member::Member;
use crate::stop::Stop;

/// Someone of the company, as the API shows them to the member.
pub(crate) struct One {
    pub(crate) id: EmployeeId,
    pub(crate) body: Value,
    pub(crate) etag: String,
    pub(crate) manager: Option<Person>,
}

impl One {
    /// What stands in a field.
    pub(crate) fn text(&self, name: &str) -> String {
        text_at(&self.body, name)
    }

    /// The whole name.
    pub(crate) fn name(&self) -> String {
        self.text("fullName")
    }

    /// The kind of badge for the status, and what it is called.
    pub(crate) fn status(&self, language: Language) -> (&'static str, String) {
        let (kind, text) = (words::status(&self.text("status"), language).0, self.text("status"));
        (kind, words::status(&text, language).1.to_owned())
    }

    /// As a form has them.
    pub(crate) fn draft(&self, own: &[CustomField]) -> Draft {
        Draft::of(&self.body, self.manager.as_ref().map_or("", |manager| manager.email.as_str()), own)
    }

    /// How they are found again.
    pub(crate) fn path(&self) -> String {
        format!("/admin/employees/{}", self.id)
    }
}

/// Someone of the member's company.
pub(crate) async fn find(console: &Console, member: &Member, id: &str) -> Result<One, Stop> {
    let id = EmployeeId::parse(id).ok_or(Stop::NotFound)?;
    let reply = console.inside.read(member.reads(), &format!("/employees/{id}")).await?;
    let manager = EmployeeId::parse(&text_at(&reply.body, "managerId"));
    let tx = console.store.read().await?;
    let known: Vec<_> = manager.into_iter().collect();
    let manager = employee::people(&tx, member.company.id, &known).await?.pop();
    Ok(One { id, body: reply.body, etag: reply.etag, manager })
}

/// The fields that the company has added, as far as the member may see their values.
pub(crate) async fn own_fields(console: &Console, member: &Member) -> Result<Vec<CustomField>, Stop> {
    let tx = console.store.read().await?;
    let mut all =
        custom_field::list(&tx, member.company.id, "", orquiva_core::custom_field::MAX_FIELDS).await?;
    all.retain(|field| !field.shape.sensitive || member.may(Right::SeeSensitive));
    Ok(all)
}

/// A department to choose.
pub(crate) struct Unit {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The departments of the company by their names, as many as a page can offer.
pub(crate) async fn units(console: &Console, member: &Member) -> Result<Vec<Unit>, Stop> {
    let tx = console.store.read().await?;
    let all = department::named(&tx, member.company.id).await?;
    Ok(all.into_iter().map(|one| Unit { id: one.id.to_string(), name: one.name }).collect())
}
