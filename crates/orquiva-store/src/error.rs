//! What can go wrong in the store, in four words.

use std::error::Error;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such row in this company.
    #[error("not found")]
    NotFound,
    /// Another row has this value already; nothing was stored.
    #[error("another record has this {0}")]
    Duplicate(&'static str),
    /// The database is away, full or too busy; nothing was stored, and it may work in a moment.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A fault of ours.
    #[error("the store is broken")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// A fault of ours, in words.
    pub fn broken(what: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Broken(what.into())
    }
}

/// Each unique index: what SQLite says of it, what PostgreSQL calls it, the field that the client knows.
const UNIQUE: &[(&str, &str, &str)] = &[
    ("employee.company_id, employee.email_key", "employee_email", "email"),
    ("employee.company_id, employee.employee_number", "employee_number", "employeeNumber"),
    (
        "external_ref.company_id, external_ref.system, external_ref.value",
        "external_ref_pkey",
        "external_refs",
    ),
    ("department.company_id, department.name_key", "department_name", "name"),
    ("department.company_id, department.code", "department_code", "code"),
    ("custom_field.company_id, custom_field.slug", "custom_field_pkey", "slug"),
    ("idempotency.company_id, idempotency.client_id, idempotency.key", "idempotency_pkey", "Idempotency-Key"),
];

fn duplicate(is: impl Fn(&(&str, &str, &str)) -> bool) -> Option<StoreError> {
    UNIQUE.iter().find(|unique| is(unique)).map(|(_, _, field)| StoreError::Duplicate(field))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let known = match &error {
            rusqlite::Error::SqliteFailure(failure, Some(message)) => match failure.code {
                ErrorCode::ConstraintViolation => duplicate(|(sqlite, _, _)| message.ends_with(sqlite)),
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory => Some(Self::Unavailable(message.clone())),
                _ => None, // the rest of SQLite's codes are faults of ours
            },
            _ => None, // so is all else that rusqlite reports
        };
        known.unwrap_or_else(|| Self::Broken(error.into()))
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        if error.is_closed() {
            return Self::Unavailable(error.to_string());
        }
        let Some(refusal) = error.as_db_error() else {
            let from_network = error.source().is_some_and(|source| source.is::<std::io::Error>());
            return match from_network {
                true => Self::Unavailable(error.to_string()),
                false => Self::Broken(error.into()),
            };
        };
        // Classes of Appendix A: connection, transaction rollback, resources, operator, system.
        let known = match refusal.code().code().get(..2) {
            Some("23") => duplicate(|(_, postgres, _)| refusal.constraint() == Some(*postgres)),
            Some("08" | "40" | "53" | "57" | "58") => Some(Self::Unavailable(refusal.message().to_owned())),
            Some(_) | None => None,
        };
        known.unwrap_or_else(|| Self::Broken(error.into()))
    }
}
