//! PostgreSQL: pipelined connections, for point reads, for lists and for the writers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orquiva_core::{Secret, Timestamp};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::arg::{Arg, Row};
use crate::error::StoreError;
use crate::migrate;
use crate::sql::{STATEMENTS, Sql};

/// Held while the schema is brought up to date, so that of several nodes one does it.
const MIGRATION_LOCK: i64 = 0x006f_7271_7569_7661;

/// Statements that a connection keeps prepared: the filters of lists make ever new ones.
const MOST_STATEMENTS: usize = 512;

/// How the server says that a transaction could not go on beside another one.
const GIVES_WAY: [SqlState; 2] = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];

/// A writer finds rows by their keys. The planner goes by statistics: of a table that has just begun to fill it would
/// rather read all, and it would go on doing so when the table has grown.
const BY_KEY: &str = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off";

/// Connections that read.
pub(crate) struct Pool {
    server: Arc<Server>,
    readers: Vec<Slot>,
    scanners: Vec<Slot>,
    turn: AtomicUsize,
}

/// A place for a connection, which is made again when it broke.
pub(crate) struct Slot {
    server: Arc<Server>,
    /// What is said on it before all else.
    preface: &'static str,
    live: tokio::sync::Mutex<Option<Connection>>,
}

/// Where the database is, and how to speak TLS with it.
struct Server {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
}

/// A connection and the statements prepared on it; in a transaction that several verbs share, also what one of
/// them has done to it.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Live>, Option<Arc<AtomicBool>>);

struct Live {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
    /// Whether the server has undone the transaction that runs for the sake of another one.
    gave_way: AtomicBool,
}

/// Reaches the server, brings its schema up to date and checks every statement; gives places for `writers`
/// connections that write and a pool of `readers` that read.
pub(crate) async fn open(
    url: &Secret,
    writers: usize,
    readers: usize,
    now: Timestamp,
) -> Result<(Vec<Slot>, Pool), StoreError> {
    let server = Arc::new(Server::at(url)?);
    let first = server.connect().await?;
    first.bring_up_to_date(now).await?;
    for statement in STATEMENTS {
        let checked = first.0.client.prepare(statement.postgres()).await;
        drop(checked.map_err(|error| {
            StoreError::broken(format!("{error}: {:?} in: {}", error.as_db_error(), statement.postgres()))
        })?);
    }
    let some = |count: usize, preface| (0..count).map(|_| Slot::new(&server, preface)).collect::<Vec<_>>();
    let pool = Pool {
        readers: some(readers, ""),
        scanners: some(readers, ""),
        turn: AtomicUsize::new(0),
        server: server.clone(),
    };
    Ok((some(writers, BY_KEY), pool))
}

impl Pool {
    /// For a point read.
    pub(crate) async fn reader(&self) -> Result<Connection, StoreError> {
        self.readers[self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len()].connection().await
    }

    /// A connection of its own with a transaction that reads. It ends with whoever has it.
    pub(crate) async fn snapshot(&self) -> Result<Connection, StoreError> {
        let connection = self.server.connect().await?;
        connection.batch("begin isolation level repeatable read read only").await?;
        Ok(connection)
    }

    /// For a list or a search.
    pub(crate) async fn scanner(&self) -> Result<Connection, StoreError> {
        self.scanners[self.turn.fetch_add(1, Ordering::Relaxed) % self.scanners.len()].connection().await
    }
}

impl Slot {
    fn new(server: &Arc<Server>, preface: &'static str) -> Self {
        Self { server: server.clone(), preface, live: tokio::sync::Mutex::new(None) }
    }

    /// The connection, made again if it broke.
    pub(crate) async fn connection(&self) -> Result<Connection, StoreError> {
        let mut live = self.live.lock().await;
        match &*live {
            Some(connection) if !connection.0.client.is_closed() => Ok(connection.clone()),
            Some(_) | None => {
                let connection = self.server.connect().await?;
                if !self.preface.is_empty() {
                    connection.batch(self.preface).await?;
                }
                Ok(live.insert(connection).clone())
            }
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
        let live = Live { client, statements: Mutex::default(), gave_way: AtomicBool::new(false) };
        Ok(Connection(Arc::new(live), None))
    }
}

impl Connection {
    /// Whether the transaction has lost against one that it could not go on beside, so that it may as well be run again;
    /// from here on it counts as new.
    pub(crate) fn has_given_way(&self) -> bool {
        self.0.gave_way.swap(false, Ordering::Relaxed)
    }

    /// The same connection, for one of several verbs that share its transaction.
    pub(crate) fn shared(&self) -> Self {
        Self(self.0.clone(), Some(Arc::default()))
    }

    /// Whether a verb that shares the transaction has changed something that it alone could not take back.
    pub(crate) fn has_left_marks(&self) -> bool {
        self.1.as_ref().is_some_and(|marks| marks.load(Ordering::Relaxed))
    }

    pub(crate) async fn all<T>(
        &self,
        sql: &Sql,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let statement = self.prepared(sql.postgres()).await?;
        self.mark(!sql.postgres().starts_with("select"));
        let answer = self.0.client.query(&statement, &refs(args)).await;
        self.mark(answer.is_err());
        self.heard(answer)?.iter().map(|row| read(&Row::Postgres(row))).collect()
    }

    /// Runs a statement once for all of `rows`: each of its arguments is an array of one place of them.
    pub(crate) async fn all_at_once<T>(
        &self,
        sql: &Sql,
        rows: &[Vec<Arg<'_>>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let places = rows.first().map_or(0, Vec::len);
        let columns: Vec<Vec<&Arg<'_>>> =
            (0..places).map(|place| rows.iter().map(|row| &row[place]).collect()).collect();
        let columns: Vec<_> = columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
        let statement = self.prepared(sql.postgres()).await?;
        self.mark(!sql.postgres().starts_with("select"));
        let answer = self.0.client.query(&statement, &columns).await;
        self.mark(answer.is_err());
        answer?.iter().map(|row| read(&Row::Postgres(row))).collect()
    }

    pub(crate) async fn run(&self, sql: &Sql, args: &[Arg<'_>]) -> Result<u64, StoreError> {
        let statement = self.prepared(sql.postgres()).await?;
        self.mark(true);
        self.heard(self.0.client.execute(&statement, &refs(args)).await)
    }

    /// A statement that changes something leaves a mark, and one that failed: PostgreSQL refuses all that follow it.
    fn mark(&self, leaves_one: bool) {
        if let Some(marks) = self.1.as_ref().filter(|_| leaves_one) {
            marks.store(true, Ordering::Relaxed);
        }
    }

    /// Refuses to go on in a transaction that several verbs share, so that the verb is run again by itself.
    pub(crate) fn need_own_transaction(&self) -> Result<(), StoreError> {
        self.mark(true);
        match self.1 {
            Some(_) => Err(StoreError::Unavailable("the verb needs a transaction of its own".to_owned())),
            None => Ok(()),
        }
    }

    /// Runs statements without arguments: those around a transaction or a part.
    pub(crate) async fn batch(&self, text: &str) -> Result<(), StoreError> {
        self.heard(self.0.client.batch_execute(text).await)
    }

    /// Remembers an answer that says that the transaction was undone for the sake of another one.
    fn heard<T>(&self, answer: Result<T, tokio_postgres::Error>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            let code = error.code();
            if code.is_some_and(|code| GIVES_WAY.contains(code)) {
                self.0.gave_way.store(true, Ordering::Relaxed);
            }
            error.into()
        })
    }

    async fn prepared(&self, text: &str) -> Result<Statement, StoreError> {
        let known = self.0.statements.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.0.client.prepare(text).await?;
        let mut statements = self.0.statements.lock().unwrap_or_else(PoisonError::into_inner);
        if statements.len() >= MOST_STATEMENTS {
            statements.clear(); // the server forgets them as well
        }
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
            let text = text
                .replace("{position}", "bigint generated always as identity")
                .replace("{clustered}", "")
                .replace("{bytewise}", "collate \"C\"");
            client.batch_execute(&text).await?;
            let written = "insert into schema_version (version, applied_at) values ($1, $2)";
            client.execute(written, &[number, &now.millis()]).await?;
        }
        client.batch_execute("commit").await?;
        Ok(())
    }
}

fn refs<'a>(args: &'a [Arg<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    args.iter().map(|arg| arg as _).collect()
}
