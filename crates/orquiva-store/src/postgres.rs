//! PostgreSQL: pipelined connections in three lanes (point reads, scans, grouped writers).

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::join;
use orquiva_core::id::CompanyId;
use orquiva_core::{Secret, Timestamp};
use tokio::sync::mpsc;
use tokio_postgres::{Client, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::engine::{Job, MAX_GROUP, MAX_WAITING, Queue, Settled, Tx, TxEngine};
use crate::sql::{STATEMENTS, Sql};
use crate::{Arg, Row, StoreError, migrate};

/// Held while the schema is brought up to date, so that of several nodes one does it.
const MIGRATION_LOCK: i64 = 0x006f_7271_7569_7661;

pub(crate) struct Postgres {
    writers: Vec<Queue>,
    readers: Vec<Slot>,
    scanners: Vec<Slot>,
    turn: AtomicUsize,
}

/// A place for a connection, which is made again when it broke.
struct Slot {
    server: Arc<Server>,
    live: tokio::sync::Mutex<Option<Connection>>,
}

/// Where the database is, and how to speak TLS with it.
struct Server {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
}

/// A connection and the statements prepared on it.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Live>);

struct Live {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
}

impl Postgres {
    pub(crate) async fn open(
        url: Secret,
        writers: usize,
        readers: usize,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let server = Arc::new(Server::at(&url)?);
        let first = server.connect().await?;
        first.bring_up_to_date(now).await?;
        for statement in STATEMENTS {
            let checked = first.0.client.prepare(statement.postgres()).await;
            drop(checked.map_err(|error| {
                StoreError::broken(format!("{error}: {:?} in: {}", error.as_db_error(), statement.postgres()))
            })?);
        }
        // One more for what belongs to no company: the worker's long groups do not hold up a hire.
        let writers = (0..=writers.max(1)).map(|_| {
            let (queue, jobs) = mpsc::channel(MAX_WAITING);
            tokio::spawn(write_in_groups(Slot::new(&server), jobs));
            queue
        });
        let pool = || (0..readers.max(1)).map(|_| Slot::new(&server)).collect();
        Ok(Self { writers: writers.collect(), readers: pool(), scanners: pool(), turn: AtomicUsize::new(0) })
    }

    /// The writer of a company: always the same, so that its writes never wait for each other's locks.
    pub(crate) fn writer(&self, company: Option<CompanyId>) -> &Queue {
        let Some(company) = company else { return &self.writers[0] };
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(company);
        &self.writers[1 + hash as usize % (self.writers.len() - 1)]
    }

    pub(crate) async fn reader(&self) -> Result<Connection, StoreError> {
        self.readers[self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len()].connection().await
    }

    pub(crate) async fn scanner(&self) -> Result<Connection, StoreError> {
        self.scanners[self.turn.fetch_add(1, Ordering::Relaxed) % self.scanners.len()].connection().await
    }
}

impl Slot {
    fn new(server: &Arc<Server>) -> Self {
        Self { server: server.clone(), live: tokio::sync::Mutex::new(None) }
    }

    async fn connection(&self) -> Result<Connection, StoreError> {
        let mut live = self.live.lock().await;
        match &*live {
            Some(connection) if !connection.0.client.is_closed() => Ok(connection.clone()),
            Some(_) | None => Ok(live.insert(self.server.connect().await?).clone()),
        }
    }
}

impl Server {
    fn at(url: &Secret) -> Result<Self, StoreError> {
        let mut config: tokio_postgres::Config =
            url.expose().parse().map_err(|error: tokio_postgres::Error| StoreError::broken(error))?;
        config.application_name("orquiva").connect_timeout(std::time::Duration::from_secs(5));
        // A machine without certificates can still speak to its own PostgreSQL without TLS.
        let tls = MakeRustlsConnect::with_native_certs().map(|(tls, _)| tls).unwrap_or_else(|_| {
            let nobody = rustls::RootCertStore::empty();
            MakeRustlsConnect::new(
                rustls::ClientConfig::builder().with_root_certificates(nobody).with_no_client_auth(),
            )
        });
        Ok(Self { config, tls })
    }

    async fn connect(&self) -> Result<Connection, StoreError> {
        let connected = self.config.connect(self.tls.clone()).await;
        let (client, driver) =
            connected.map_err(|error| StoreError::Unavailable(format!("PostgreSQL: {error}")))?;
        tokio::spawn(async move {
            if let Err(cause) = driver.await {
                tracing::warn!(%cause, "a connection to PostgreSQL ended");
            }
        });
        Ok(Connection(Arc::new(Live { client, statements: Mutex::default() })))
    }
}

/// One writer: takes what waits, commits once, answers.
async fn write_in_groups(slot: Slot, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.recv().await {
        let (settled, lost) = match slot.connection().await {
            Ok(connection) => write_group(&connection, first, &mut jobs).await,
            Err(cause) => {
                tracing::error!(%cause, "PostgreSQL is away; a write was refused");
                // The verb runs on no connection at all: dropping it tells its caller that nothing was stored.
                drop(first);
                continue;
            }
        };
        if let Some(cause) = &lost {
            tracing::error!(%cause, "a group of writes was lost; none of it is stored");
        }
        for Settled { answer, .. } in settled {
            answer(lost.as_ref().map(|cause| StoreError::Unavailable(cause.to_string())));
        }
    }
}

/// Runs what waits in one transaction. Savepoints travel with the first statement of each verb, so a verb
/// costs as many round trips as it awaits.
async fn write_group(
    connection: &Connection,
    first: Job,
    jobs: &mut mpsc::Receiver<Job>,
) -> (Vec<Settled>, Option<StoreError>) {
    let client = &connection.0.client;
    let mut settled = Vec::new();
    let mut preface = "begin; savepoint verb";
    let mut lost = None;
    let mut next = Some(first);
    while let Some(job) = next {
        let verb =
            std::panic::AssertUnwindSafe(job(Tx(TxEngine::Postgres(connection.clone())))).catch_unwind();
        let (prepared, run) = join(client.batch_execute(preface), verb).await;
        lost = lost.or(prepared.err().map(StoreError::from));
        preface = match &run {
            Ok(Settled { keep: true, .. }) => "release savepoint verb; savepoint verb",
            Ok(_) | Err(_) => "rollback to savepoint verb",
        };
        settled.extend(run);
        next = (settled.len() < MAX_GROUP).then(|| jobs.try_recv().ok()).flatten();
    }
    let end = match preface.starts_with("rollback") {
        true => "rollback to savepoint verb; commit",
        // Not `commit` alone: after a statement that failed unnoticed it would roll back and say nothing.
        false => "release savepoint verb; commit",
    };
    let ended = client.batch_execute(end).await;
    lost = lost.or(ended.err().map(StoreError::from));
    if lost.is_some() {
        drop(client.batch_execute("rollback").await); // it fails if the connection is gone, which is as good
    }
    (settled, lost)
}

impl Connection {
    pub(crate) async fn all<T>(
        &self,
        sql: &Sql,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let statement = self.prepared(sql.postgres()).await?;
        let rows = self.0.client.query(&statement, &refs(args)).await?;
        rows.iter().map(|row| read(&Row::Postgres(row))).collect()
    }

    pub(crate) async fn run(&self, sql: &Sql, args: &[Arg<'_>]) -> Result<u64, StoreError> {
        let statement = self.prepared(sql.postgres()).await?;
        Ok(self.0.client.execute(&statement, &refs(args)).await?)
    }

    async fn prepared(&self, text: &str) -> Result<Statement, StoreError> {
        let known = self.0.statements.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.0.client.prepare(text).await?;
        let mut statements = self.0.statements.lock().unwrap_or_else(PoisonError::into_inner);
        statements.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    async fn bring_up_to_date(&self, now: Timestamp) -> Result<(), StoreError> {
        let client = &self.0.client;
        client.batch_execute(&format!("begin; select pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
        client.batch_execute(migrate::LEDGER).await?;
        let version: i64 =
            client.query_one("select coalesce(max(version), 0) from schema_version", &[]).await?.get(0);
        for (number, text) in migrate::after(version).map_err(StoreError::broken)? {
            let position = "bigint generated always as identity";
            client.batch_execute(&text.replace("{position}", position).replace("{clustered}", "")).await?;
            let written = "insert into schema_version (version, applied_at) values ($1, $2)";
            client.execute(written, &[number, &now.millis()]).await?;
        }
        client.batch_execute("commit").await?;
        Ok(())
    }
}

fn refs<'a>(args: &'a [Arg<'_>]) -> Vec<&'a (dyn tokio_postgres::types::ToSql + Sync)> {
    args.iter().map(|arg| arg as _).collect()
}
