//! What a verb works with, on either engine.

use crate::arg::{Arg, Row};
use crate::error::StoreError;
use crate::sql::Sql;
use crate::{postgres, sqlite};

/// A running transaction, or a connection for reading: what a verb gets to work with. A clone is the same
/// transaction, and neither means anything once the verb has returned.
#[derive(Clone)]
pub struct Tx(pub(crate) TxEngine);

#[derive(Clone)]
pub(crate) enum TxEngine {
    Sqlite(sqlite::Connection),
    Postgres(postgres::Connection),
}

impl Tx {
    /// Every row of the answer.
    pub(crate) async fn all<T>(
        &self,
        sql: &Sql,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match &self.0 {
            TxEngine::Sqlite(connection) => connection.all(sql, args, read),
            TxEngine::Postgres(connection) => connection.all(sql, args, read).await,
        }
    }

    /// The first row of the answer, if there is one.
    pub(crate) async fn first<T>(
        &self,
        sql: &Sql,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql, args, read).await?.into_iter().next())
    }

    /// Runs a statement without answer; returns how many rows it touched.
    pub(crate) async fn run(&self, sql: &Sql, args: &[Arg<'_>]) -> Result<u64, StoreError> {
        match &self.0 {
            TxEngine::Sqlite(connection) => connection.run(sql, args),
            TxEngine::Postgres(connection) => connection.run(sql, args).await,
        }
    }

    /// Runs a statement once for each of `rows`, without waiting between them.
    pub(crate) async fn run_each(&self, sql: &Sql, rows: &[Vec<Arg<'_>>]) -> Result<(), StoreError> {
        match &self.0 {
            TxEngine::Sqlite(connection) => {
                rows.iter().try_for_each(|row| connection.run(sql, row).map(drop))
            }
            TxEngine::Postgres(connection) => {
                let runs = rows.iter().map(|row| connection.run(sql, row));
                futures_util::future::try_join_all(runs).await.map(drop)
            }
        }
    }
}
