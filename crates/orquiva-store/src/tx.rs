//! What a verb works with, on either engine.

use futures_util::future::join;

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
        #[cfg(test)]
        crate::plans::note(sql, args);
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
            TxEngine::Sqlite(connection) => connection.run_each(sql, rows),
            TxEngine::Postgres(connection) => {
                let runs = rows.iter().map(|row| connection.run(sql, row));
                futures_util::future::try_join_all(runs).await.map(drop)
            }
        }
    }

    /// Runs a statement for all of `rows`, as many as they are: see [`Self::for_all`].
    pub(crate) async fn run_all(&self, sql: &Sql, rows: &[Vec<Arg<'_>>]) -> Result<(), StoreError> {
        match &self.0 {
            TxEngine::Sqlite(connection) => connection.run_each(sql, rows),
            TxEngine::Postgres(_) => self.for_all(sql, rows, |_| Ok(())).await.map(drop),
        }
    }

    /// Runs a statement for all of `rows` and reads every row of the answers, in no order. A statement of such a pair is
    /// run for each row on SQLite, where a call costs next to nothing; on PostgreSQL it is run once, and takes each
    /// argument of all rows as an array: `unnest($1::text[], …)`.
    pub(crate) async fn for_all<T>(
        &self,
        sql: &Sql,
        rows: &[Vec<Arg<'_>>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match &self.0 {
            _ if rows.is_empty() => Ok(Vec::new()),
            TxEngine::Sqlite(connection) => connection.all_each(sql, rows, read),
            TxEngine::Postgres(connection) => connection.all_at_once(sql, rows, read).await,
        }
    }

    /// Holds the lock of this number until the transaction ends. It is asked for at once, without any preparing, so it is
    /// held before whatever is asked for beside it looks at anything.
    pub(crate) async fn lock(&self, number: i64) -> Result<(), StoreError> {
        match &self.0 {
            TxEngine::Sqlite(_) => Ok(()), // one process, and one writer
            TxEngine::Postgres(connection) => {
                connection.batch(&format!("select pg_advisory_xact_lock({number})")).await
            }
        }
    }

    /// Runs `verbs` until one fails, without waiting between them: on PostgreSQL their statements travel together,
    /// so they must not depend on each other. After a failure some are half done, and the transaction or the part
    /// has to be undone; which error is told is chance.
    pub async fn together<T, E, V>(&self, verbs: impl Iterator<Item = V>) -> Result<Vec<T>, E>
    where
        V: Future<Output = Result<T, E>>,
    {
        match &self.0 {
            TxEngine::Sqlite(_) => {
                let mut done = Vec::with_capacity(verbs.size_hint().0);
                for verb in verbs {
                    done.push(verb.await?);
                }
                Ok(done)
            }
            TxEngine::Postgres(_) => futures_util::future::try_join_all(verbs).await,
        }
    }

    /// Runs a part of a verb under a savepoint: if it fails, nothing of it is stored, and the verb may go on.
    pub async fn part<T, E: From<StoreError>>(
        &self,
        part: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match &self.0 {
            TxEngine::Sqlite(connection) => {
                connection.control("savepoint part")?;
                let result = part.await;
                if result.is_err() {
                    connection.control("rollback to part")?;
                }
                connection.control("release part")?;
                result
            }
            TxEngine::Postgres(connection) => {
                connection.need_own_transaction()?;
                // The savepoint travels with the part's first statement.
                let (begun, result) = join(connection.batch("savepoint part"), part).await;
                begun?;
                let end = match result {
                    Ok(_) => "release savepoint part",
                    Err(_) => "rollback to savepoint part; release savepoint part",
                };
                connection.batch(end).await?;
                result
            }
        }
    }
}
