//! What goes into a statement and what comes out, alike on both engines: whole numbers, texts, bytes.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use orquiva_core::id::{Id, Kind};
use orquiva_core::{Date, Timestamp};
use tokio_postgres::types::{IsNull, ToSql, Type};

use crate::StoreError;

/// One argument of a statement.
#[derive(Clone, Debug)]
pub enum Arg<'a> {
    /// Nothing.
    Null,
    /// A whole number, a count or a time.
    Int(i64),
    /// A text, an id or JSON.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

/// The arguments of a statement, each turned into an [`Arg`].
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::Arg::from($value)),*] };
}

impl From<i64> for Arg<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<Timestamp> for Arg<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.millis())
    }
}
impl<'a> From<&'a str> for Arg<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}
impl<'a> From<&'a String> for Arg<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}
impl From<String> for Arg<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}
impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(value))
    }
}
impl<'a> From<&'a Vec<u8>> for Arg<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Bytes(Cow::Borrowed(value))
    }
}
impl<K: Kind> From<Id<K>> for Arg<'_> {
    fn from(value: Id<K>) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }
}
impl From<Date> for Arg<'_> {
    fn from(value: Date) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }
}
impl<'a, T> From<Option<T>> for Arg<'a>
where
    Arg<'a>: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}
impl<'a> From<&'a Option<String>> for Arg<'a> {
    fn from(value: &'a Option<String>) -> Self {
        value.as_deref().into()
    }
}

impl rusqlite::ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql(kind, out),
            Self::Text(value) => value.as_ref().to_sql(kind, out),
            Self::Bytes(value) => value.as_ref().to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    tokio_postgres::types::to_sql_checked!();
}

/// One row of an answer; columns are counted from 0.
pub enum Row<'r> {
    /// From SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
    /// From PostgreSQL.
    Postgres(&'r tokio_postgres::Row),
}

impl Row<'_> {
    fn get<T>(&self, column: usize) -> Result<T, StoreError>
    where
        T: rusqlite::types::FromSql + for<'a> tokio_postgres::types::FromSql<'a>,
    {
        match self {
            Self::Sqlite(row) => row.get(column).map_err(StoreError::broken),
            Self::Postgres(row) => row.try_get(column).map_err(StoreError::broken),
        }
    }

    /// A whole number.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.get(column)
    }

    /// A whole number or nothing.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    /// A text.
    pub fn text(&self, column: usize) -> Result<String, StoreError> {
        self.get(column)
    }

    /// A text or nothing.
    pub fn opt_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    /// Bytes.
    pub fn bytes(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        self.get(column)
    }

    /// Bytes or nothing.
    pub fn opt_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(column)
    }

    /// A moment.
    pub fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_millis)
    }

    /// A moment or nothing.
    pub fn opt_time(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.opt_int(column)?.map(Timestamp::from_millis))
    }

    /// A day or nothing.
    pub fn opt_date(&self, column: usize) -> Result<Option<Date>, StoreError> {
        let read = |text: String| {
            Date::parse(&text).ok_or_else(|| StoreError::broken(format!("`{text}` is no day")))
        };
        self.opt_text(column)?.map(read).transpose()
    }

    /// An id.
    pub fn id<K: Kind>(&self, column: usize) -> Result<Id<K>, StoreError> {
        let text = self.text(column)?;
        Id::parse(&text).ok_or_else(|| StoreError::broken(format!("`{text}` is no id of {}", K::PREFIX)))
    }

    /// An id or nothing.
    pub fn opt_id<K: Kind>(&self, column: usize) -> Result<Option<Id<K>>, StoreError> {
        match self.opt_text(column)? {
            Some(_) => self.id(column).map(Some),
            None => Ok(None),
        }
    }
}
