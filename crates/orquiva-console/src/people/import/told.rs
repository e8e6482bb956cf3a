//! What is known of an import, and how far it has come.

use orquiva_core::Language;
use orquiva_store::StoreError;
use orquiva_store::import::Job;
use serde_json::{Value, json};

/// What is told of an import.
#[derive(Clone, Debug)]
pub(super) struct Told(Value);

impl Told {
    /// Of a file that has just come.
    pub(super) fn new(file: &str, header: &[String], columns: &[String], language: Language) -> Self {
        Self(json!({ "file": file, "header": header, "columns": columns, "language": language.tag() }))
    }

    /// Of an import that is stored.
    pub(super) fn of(job: &Job) -> Result<Self, StoreError> {
        serde_json::from_str(&job.told).map(Self).map_err(StoreError::broken)
    }

    /// As it is stored.
    pub(super) fn text(&self) -> String {
        self.0.to_string()
    }

    /// A text, such as the name of the file.
    pub(super) fn word(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// A number, such as of rows; 0 if it is not there.
    pub(super) fn number(&self, name: &str) -> i64 {
        self.0[name].as_i64().unwrap_or(0)
    }

    /// A list of texts, such as the titles of the columns.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let entries = self.0[name].as_array().into_iter().flatten();
        entries.map(|entry| entry.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Notes something.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0[name] = value.into();
    }

    /// Adds to a number.
    pub(super) fn add(&mut self, name: &str, count: usize) {
        self.set(name, self.number(name) + i64::try_from(count).unwrap_or(0));
    }

    /// Starts the counting again.
    pub(super) fn start(&mut self) {
        for name in ["done", "good", "bad"] {
            self.set(name, 0);
        }
    }

    /// In which language whoever brought the file reads.
    pub(super) fn language(&self) -> Language {
        Language::parse(self.word("language")).unwrap_or(Language::Spanish)
    }

    /// Whether a column is the manager.
    pub(super) fn has_managers(&self) -> bool {
        self.list("columns").iter().any(|name| name == "managerId")
    }
}
