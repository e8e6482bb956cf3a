//! The database, whichever it is.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::PathBuf;
use std::sync::Arc;

use orquiva_core::id::CompanyId;
use orquiva_core::{Clock, Secret};

use crate::error::StoreError;
use crate::tx::{Tx, TxEngine};
use crate::writer::{Job, Order, Queue, Turns};
use crate::{postgres, sqlite, writer};

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
    Sqlite {
        writer: Queue,
        pool: sqlite::Pool,
    },
    /// The first writer is for what belongs to no company.
    Postgres {
        writers: Vec<Queue>,
        turns: Arc<Turns>,
        pool: postgres::Pool,
    },
}

/// What was committed at one moment, for as long as it is kept: writers neither change it nor wait for it.
pub struct Snapshot(Tx);

impl Snapshot {
    /// Reads something of it, where it holds up no other work.
    pub async fn read<T, F, R>(&self, verb: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Tx) -> R + Send + 'static,
        R: Future<Output = Result<T, StoreError>> + Send,
    {
        let tx = self.0.clone();
        match &tx.0 {
            TxEngine::Sqlite(_) => {
                let run = tokio::task::spawn_blocking(move || sqlite::finish(verb(tx)));
                run.await.map_err(StoreError::broken)?
            }
            TxEngine::Postgres(_) => verb(tx).await,
        }
    }
}

impl Store {
    /// Opens the database, brings its schema up to date under a lock, and prepares every statement.
    pub async fn open(settings: Settings, clock: &dyn Clock) -> Result<Self, StoreError> {
        let now = clock.now();
        Ok(Self(match settings {
            Settings::Sqlite { file } => {
                let (connection, pool) = sqlite::open(&file, now)?;
                Engine::Sqlite { writer: writer::sqlite(connection)?, pool }
            }
            Settings::Postgres { url, writers, readers } => {
                // One more for what belongs to no company: the worker's long groups do not hold up a hire.
                let (slots, pool) = postgres::open(&url, writers.max(1) + 1, readers.max(1), now).await?;
                let turns = Arc::<Turns>::default();
                let own = |number| (number > 0).then(|| turns.clone());
                let start = |(number, slot)| writer::postgres(slot, own(number));
                let writers = slots.into_iter().enumerate().map(start).collect();
                Engine::Postgres { writers, turns, pool }
            }
        }))
    }

    /// Says whether the worker is behind with what it records. While it is, companies' writes leave it more of the
    /// database: they go on, but not several groups at a time. The embedded database has one writer for all anyway.
    pub fn fall_behind(&self, behind: bool) {
        if let Engine::Postgres { turns, .. } = &self.0 {
            turns.set_apart(behind);
        }
    }

    /// Runs `verb` in a transaction and answers once it is durable. If the verb fails, nothing of it is stored.
    /// Writes of one company run one after the other; those of none are the worker's and the operator's own.
    /// What a verb does outside the transaction it may do twice: of those that share one and get into each other's
    /// way, or into the way of another node's, nothing is stored, and each runs again.
    pub async fn write<T, E, F, R>(&self, company: impl Into<Option<CompanyId>>, verb: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> R + Clone + Send + 'static,
        R: Future<Output = Result<T, E>> + Send,
    {
        self.submit(company.into(), Order::InTurn, true, verb).await
    }

    /// Runs `verb` as [`Self::write`] does, but in this order.
    pub async fn write_in<T, E, F, R>(
        &self,
        order: Order,
        company: impl Into<Option<CompanyId>>,
        verb: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> R + Clone + Send + 'static,
        R: Future<Output = Result<T, E>> + Send,
    {
        self.submit(company.into(), order, true, verb).await
    }

    /// Runs `verb` as [`Self::write`] does, and stores nothing of it: the answer tells what would be.
    pub async fn rehearse<T, E, F, R>(&self, company: CompanyId, verb: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> R + Clone + Send + 'static,
        R: Future<Output = Result<T, E>> + Send,
    {
        self.submit(Some(company), Order::InTurn, false, verb).await
    }

    async fn submit<T, E, F, R>(
        &self,
        company: Option<CompanyId>,
        order: Order,
        store: bool,
        verb: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> R + Clone + Send + 'static,
        R: Future<Output = Result<T, E>> + Send,
    {
        let (job, answer) = Job::new(company, order, store, verb);
        let gone = |what: &str| E::from(StoreError::Unavailable(what.to_owned()));
        self.writer(company).send(job).await.map_err(|_| gone("the writer has stopped"))?;
        answer.await.map_err(|_| gone("the writer gave no answer"))?
    }

    /// A connection for point reads, which are done where they are asked.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(Tx(match &self.0 {
            Engine::Sqlite { pool, .. } => TxEngine::Sqlite(pool.reader()),
            Engine::Postgres { pool, .. } => TxEngine::Postgres(pool.reader().await?),
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
            Engine::Sqlite { pool, .. } => {
                let tx = Tx(TxEngine::Sqlite(pool.scanner()));
                let run = tokio::task::spawn_blocking(move || sqlite::finish(verb(tx)));
                run.await.map_err(StoreError::broken)?
            }
            Engine::Postgres { pool, .. } => verb(Tx(TxEngine::Postgres(pool.scanner().await?))).await,
        }
    }

    /// What is committed at the moment of the first reading, on a connection of its own.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        match &self.0 {
            Engine::Sqlite { pool, .. } => pool.snapshot().map(TxEngine::Sqlite),
            Engine::Postgres { pool, .. } => pool.snapshot().await.map(TxEngine::Postgres),
        }
        .map(|engine| Snapshot(Tx(engine)))
    }

    /// Whether this is the embedded database, which one process owns.
    pub fn is_embedded(&self) -> bool {
        matches!(self.0, Engine::Sqlite { .. })
    }

    /// The writer of a company: always the same, so that its writes never wait for each other's locks.
    fn writer(&self, company: Option<CompanyId>) -> &Queue {
        match (&self.0, company) {
            (Engine::Sqlite { writer, .. }, _) => writer,
            (Engine::Postgres { writers, .. }, None) => &writers[0],
            (Engine::Postgres { writers, .. }, Some(company)) => {
                let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(company);
                &writers[1 + hash as usize % (writers.len() - 1)]
            }
        }
    }
}
