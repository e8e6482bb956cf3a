//! The list as a file of comma-separated values, for spreadsheets: as it is narrowed and put in order on the page.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use http::header;
use orquiva_core::id::EmployeeId;
use orquiva_core::{CustomField, Language, Right};
use orquiva_store::{StoreError, employee};
use orquiva_web::lines::{BrokenOff, Parts, Patience, stream};
use serde_json::Value;

use super::Wish;
use super::draft::{OWN, text_at};
use super::one::own_fields;
use super::words::{FIELDS, Field, Group, Kind, label, shown};
use crate::console::Console;
use crate::member::Member;
use crate::next::escaped;
use crate::sign_in::Asked;
use crate::stop::Stop;

/// How slowly it may be read.
const PATIENCE: Patience = Patience { part: Duration::from_secs(30), whole: Duration::from_secs(3600) };

/// What stands in each line beside the fields of forms.
const OTHERS: [&str; 3] = ["endDate", "terminationReason", "originalHireDate"];

/// The file, made no faster than it is read.
pub(crate) async fn get(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let sheet = Sheet {
        language: member.guest.language,
        protected: member.may(Right::SeeSensitive),
        own: own_fields(&console, &member).await?,
    };
    let path = format!("/employees?limit=200&{}", Wish::of(&asked).api());
    // What is wrong with the wish is told by a page, before anything is sent.
    let mut page = console.inside.read(member.reads(), &path).await?.body;
    let name = format!("{}.csv", member.guest.language.pick("plantilla", "people"));
    let lines = stream(PATIENCE, async move |parts: Parts| {
        // The mark tells spreadsheets that it is UTF-8.
        parts.put(format!("\u{FEFF}{}", sheet.head())).await?;
        loop {
            let managers = managers(&console, &member, &page).await?;
            let people = page["data"].as_array().into_iter().flatten();
            let part: String = people.map(|one| sheet.line(one, &managers)).collect();
            parts.put(part).await?;
            let Some(cursor) = page["nextCursor"].as_str() else { return Ok(parts) };
            let next = format!("{path}&cursor={}", escaped(cursor));
            page = match console.inside.read(member.reads(), &next).await {
                Ok(reply) => reply.body,
                Err(_) => return Err(StoreError::Unavailable("a page could not be read".to_owned()).into()),
            };
        }
    });
    let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned());
    let disposition = (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""));
    Ok(([kind, disposition], Body::new(lines)).into_response())
}

/// The e-mails of the managers of a page, by their ids.
async fn managers(
    console: &Console,
    member: &Member,
    page: &Value,
) -> Result<HashMap<String, String>, BrokenOff> {
    let ids = page["data"].as_array().into_iter().flatten();
    let mut ids: Vec<_> = ids.filter_map(|one| EmployeeId::parse(one["managerId"].as_str()?)).collect();
    ids.sort();
    ids.dedup();
    let people = employee::people(&console.store.read().await?, member.company.id, &ids).await?;
    Ok(people.into_iter().map(|one| (one.id.to_string(), one.email)).collect())
}

struct Sheet {
    language: Language,
    protected: bool,
    own: Vec<CustomField>,
}

impl Sheet {
    fn fields(&self) -> impl Iterator<Item = &'static Field> {
        let protected = self.protected;
        FIELDS.iter().filter(move |field| protected || field.group != Group::Protected)
    }

    fn head(&self) -> String {
        let fields = self.fields().map(|field| field.label(self.language).to_owned());
        let others = OTHERS.iter().map(|name| label(name, self.language).to_owned());
        let own = self.own.iter().map(|field| field.shape.label.clone());
        let references = self.language.pick("Referencias", "References").to_owned();
        self.joined(fields.chain(others).chain([references, "id".to_owned()]).chain(own))
    }

    fn line(&self, one: &Value, managers: &HashMap<String, String>) -> String {
        let fields = self.fields().map(|field| {
            let value = text_at(one, field.name);
            match field.kind {
                Kind::Person => managers.get(&value).cloned().unwrap_or_default(),
                Kind::Choice(_) if !value.is_empty() => shown(field.name, &value, self.language),
                _ => value,
            }
        });
        let others = OTHERS.iter().map(|name| text_at(one, name));
        let references = one["external_refs"].as_object().into_iter().flatten();
        let references = references.map(|(system, value)| format!("{system}={}", text_at(value, "")));
        let rest = [references.collect::<Vec<_>>().join("; "), text_at(one, "id")];
        let own = self.own.iter().map(|field| text_at(one, &format!("{OWN}{}", field.shape.slug)));
        self.joined(fields.chain(others).chain(rest).chain(own))
    }

    /// A line, parted as the spreadsheets of this language expect it.
    fn joined(&self, cells: impl Iterator<Item = String>) -> String {
        let cells: Vec<_> = cells.map(|text| cell(&text)).collect();
        format!("{}\r\n", cells.join(self.language.pick(";", ",")))
    }
}

/// A cell. What a spreadsheet would run gets an apostrophe before it.
fn cell(text: &str) -> String {
    let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if runs { format!("'{text}") } else { text.to_owned() };
    match text.contains(['"', ',', ';', '\n', '\r', '\t']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_runs_in_a_spreadsheet_and_none_breaks_its_line() {
        for (text, written) in [
            ("Ana", "Ana"),
            ("=1+1", "'=1+1"),
            ("+34600", "'+34600"),
            ("-2", "'-2"),
            ("@sum", "'@sum"),
            ("Ruiz; Ana", "\"Ruiz; Ana\""),
            ("la \"jefa\"", "\"la \"\"jefa\"\"\""),
            ("=\"a\"", "\"'=\"\"a\"\"\""),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
