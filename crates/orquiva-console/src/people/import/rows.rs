//! An import at which is being worked: its rows as the API is sent them, and what is wrong with them in the words of the
//! file.

use std::collections::HashSet;

use orquiva_core::CustomField;
use orquiva_core::id::ImportId;
use orquiva_store::StoreError;
use orquiva_store::import::{Job, Part};
use orquiva_web::Insider;
use serde_json::{Value, json};

use super::columns::{REFERENCE, REFERENCES, Read, read};
use super::told::Told;
use crate::told::faults_in;

/// A row that is wrong: its number in the file, its column, what to do.
pub(super) type Fault = (i64, String, String);

/// An import at which is being worked.
pub(super) struct Work {
    pub(super) job: Job,
    pub(super) told: Told,
    pub(super) header: Vec<String>,
    pub(super) columns: Vec<String>,
    pub(super) own: Vec<CustomField>,
    pub(super) who: Insider,
}

impl Work {
    pub(super) fn reads(&self, rows: &[Vec<String>]) -> Vec<Read> {
        rows.iter().map(|row| read(&self.columns, &self.header, row)).collect()
    }

    /// Rows as hires, but for the managers.
    pub(super) fn hires(&self, reads: &[Read]) -> Vec<Value> {
        let hire = |read: &Read| {
            let mut body = read.draft.hire(&self.own);
            for (system, value) in &read.references {
                body["external_refs"][system] = json!(value);
            }
            json!({ "data": body })
        };
        reads.iter().map(hire).collect()
    }

    /// The number of a row in the file: the first is the head.
    pub(super) fn row(&self, part: i64, index: usize) -> i64 {
        let first = self
            .told
            .list("firsts")
            .get(usize::try_from(part).unwrap_or(0))
            .and_then(|first| first.parse().ok());
        first.unwrap_or(0) + i64::try_from(index).unwrap_or(0) + 2
    }

    /// What the file calls the column that is a field; nothing if no column is.
    pub(super) fn title(&self, name: &str) -> String {
        let is = |column: &&String| column.as_str() == name;
        let near = |column: &&String| {
            !column.is_empty()
                && (column.starts_with(&format!("{name}.")) || name.starts_with(&format!("{column}.")))
        };
        let found = self.columns.iter().find(is).or_else(|| self.columns.iter().find(near));
        let found = found.or_else(|| {
            let other = match name {
                "fullName" => ["firstName", "lastName"].as_slice(),
                "nationalId.type" | "nationalId.country" => &["nationalId.value"],
                _ if name.starts_with("external_refs") => &[REFERENCE, REFERENCES],
                _ => &[],
            };
            self.columns.iter().find(|column| other.contains(&column.as_str()))
        });
        let at = found.and_then(|found| self.columns.iter().position(|column| column == found));
        at.and_then(|at| self.header.get(at)).cloned().unwrap_or_default()
    }

    /// What is wrong with the rows `of` a piece, by the answer to a batch of them.
    pub(super) fn faults(&self, part: i64, of: &[usize], answer: &Value) -> Vec<Fault> {
        let language = self.told.language();
        let mut faults = Vec::new();
        for (item, result) in answer["results"].as_array().into_iter().flatten().enumerate() {
            let problem = &result["problem"];
            if problem.is_null() {
                continue;
            }
            let told = faults_in(problem, &format!("/items/{item}/data"));
            let row = of.get(item).map_or(0, |index| self.row(part, *index));
            for (name, text) in told.each() {
                let text = match (name, self.title("fullName").is_empty()) {
                    ("fullName", true) => language.pick(
                        "Falta el nombre: asigne una columna a nombre y apellidos, o al nombre completo.",
                        "The name is missing: match a column to first and last name, or to the full name.",
                    ),
                    ("fullName", false) if text.contains("fullName") => {
                        language.pick("Falta el nombre o el apellido.", "First or last name is missing.")
                    }
                    _ => text,
                };
                faults.push((row, self.title(name), text.to_owned()));
            }
        }
        faults
    }

    pub(super) fn without_manager(&self, part: i64, index: usize, hired: bool) -> Fault {
        let language = self.told.language();
        let what = match hired {
            true => language.pick(
                "La persona está dada de alta, pero sin responsable: nadie tiene ese correo.",
                "The person was hired, but without a manager: nobody has that e-mail.",
            ),
            false => language.pick(
                "Nadie tiene el correo del responsable, ni en la empresa ni en el archivo.",
                "Nobody has the manager's e-mail, neither in the company nor in the file.",
            ),
        };
        (self.row(part, index), self.title("managerId"), what.to_owned())
    }
}

/// The place for which the rows of a piece are sealed.
pub(super) fn place(id: ImportId, number: i64) -> String {
    format!("import/{id}/{number}")
}

/// What is wrong with the rows of a piece.
pub(super) fn faults_of(part: &Part) -> Result<Vec<Fault>, StoreError> {
    let Some(text) = &part.faults else { return Ok(Vec::new()) };
    serde_json::from_str(text).map_err(StoreError::broken)
}

pub(super) fn bad_in(part: &Part) -> Result<usize, StoreError> {
    Ok(faults_of(part)?.iter().map(|(row, _, _)| *row).collect::<HashSet<_>>().len())
}

/// Whom a piece has brought: place among its rows, id, version.
pub(super) fn people_of(part: &Part) -> Result<Vec<(usize, String, i64)>, StoreError> {
    let Some(text) = &part.people else { return Ok(Vec::new()) };
    serde_json::from_str(text).map_err(StoreError::broken)
}
