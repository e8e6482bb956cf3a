//! SQLite and PostgreSQL behind one [`Store`] and one [`Tx`].
//!
//! Writes are grouped on both: a writer takes whatever waits at the moment, runs each verb under a savepoint
//! of one shared transaction, commits once and only then answers. Nothing waits on purpose.

use std::path::PathBuf;
use std::pin::Pin;

use orquiva_core::id::CompanyId;
use orquiva_core::{Clock, Secret};
use tokio::sync::{mpsc, oneshot};

use crate::sql::Sql;
use crate::{Arg, Row, StoreError, postgres, sqlite};

/// Most verbs that one commit carries.
pub(crate) const MAX_GROUP: usize = 256;

/// Verbs that may wait for a writer before new ones are held back.
pub(crate) const MAX_WAITING: usize = 8192;

/// Which database.
pub enum Settings {
    /// The embedded one, a file.
    Sqlite {
        /// The file; it is created if it does not exist.
        file: PathBuf,
    },
    /// PostgreSQL 15 or newer.
    Postgres {
        /// `postgres://…`, which may carry a password.
        url: Secret,
        /// Connections that write.
        writers: usize,
        /// Connections that read.
        readers: usize,
    },
}

/// The database.
pub struct Store(Engine);

enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// A running transaction, or a connection for reading: what a verb gets to work with. A clone is the same
/// transaction, and neither means anything once the verb has returned.
#[derive(Clone)]
pub struct Tx(pub(crate) TxEngine);

#[derive(Clone)]
pub(crate) enum TxEngine {
    Sqlite(sqlite::Connection),
    Postgres(postgres::Connection),
}

/// A verb on its way to a writer.
pub(crate) type Job = Box<dyn FnOnce(Tx) -> Pin<Box<dyn Future<Output = Settled> + Send>> + Send>;

/// A verb that has run, and waits for the commit to answer.
pub(crate) struct Settled {
    /// Whether what it wrote is kept; otherwise its savepoint is rolled back.
    pub(crate) keep: bool,
    /// Answers the caller; given the reason if the shared transaction was lost after all.
    pub(crate) answer: Box<dyn FnOnce(Option<StoreError>) + Send>,
}

impl Store {
    /// Opens the database, brings its schema up to date under a lock, and prepares every statement.
    pub async fn open(settings: Settings, clock: &dyn Clock) -> Result<Self, StoreError> {
        let now = clock.now();
        Ok(Self(match settings {
            Settings::Sqlite { file } => Engine::Sqlite(sqlite::Sqlite::open(file, now)?),
            Settings::Postgres { url, writers, readers } => {
                Engine::Postgres(postgres::Postgres::open(url, writers, readers, now).await?)
            }
        }))
    }

    /// Runs `verb` in a transaction and answers once it is durable. If the verb fails, nothing of it is stored.
    /// Writes of one company run one after the other; those of none are the worker's and the operator's own.
    pub async fn write<T, E, F, R>(&self, company: impl Into<Option<CompanyId>>, verb: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> R + Send + 'static,
        R: Future<Output = Result<T, E>> + Send,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            Box::pin(async move {
                let result = verb(tx).await;
                let keep = result.is_ok();
                let answer = Box::new(move |lost: Option<StoreError>| {
                    // A caller that went away needs no answer; what it asked for is done.
                    drop(reply.send(lost.map_or(result, |lost| Err(lost.into()))));
                });
                Settled { keep, answer }
            })
        });
        let queue = match &self.0 {
            Engine::Sqlite(engine) => engine.writer(),
            Engine::Postgres(engine) => engine.writer(company.into()),
        };
        let gone = |what: &str| E::from(StoreError::Unavailable(what.to_owned()));
        queue.send(job).await.map_err(|_| gone("the writer has stopped"))?;
        answer.await.map_err(|_| gone("the writer gave no answer"))?
    }

    /// A connection for point reads, which are done where they are asked.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(Tx(match &self.0 {
            Engine::Sqlite(engine) => TxEngine::Sqlite(engine.reader()),
            Engine::Postgres(engine) => TxEngine::Postgres(engine.reader().await?),
        }))
    }

    /// Runs `verb` where it does not hold up point reads: for lists and searches.
    pub async fn scan<T, F, R>(&self, verb: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Tx) -> R + Send + 'static,
        R: Future<Output = Result<T, StoreError>> + Send,
    {
        match &self.0 {
            Engine::Sqlite(engine) => {
                let tx = Tx(TxEngine::Sqlite(engine.scanner()));
                let run = tokio::task::spawn_blocking(move || sqlite::finish(verb(tx)));
                run.await.map_err(StoreError::broken)?
            }
            Engine::Postgres(engine) => verb(Tx(TxEngine::Postgres(engine.scanner().await?))).await,
        }
    }

    /// Whether this is the embedded database, which one process owns.
    pub fn is_embedded(&self) -> bool {
        matches!(self.0, Engine::Sqlite(_))
    }
}

/// What a queue of verbs is sent through.
pub(crate) type Queue = mpsc::Sender<Job>;

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
