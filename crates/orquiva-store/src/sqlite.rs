//! The embedded engine: one connection that writes, and connections that read in place.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use orquiva_core::Timestamp;

use crate::arg::{Arg, Row};
use crate::error::StoreError;
use crate::migrate;
use crate::sql::{STATEMENTS, Sql};

/// Connections for point reads, and as many again for scans.
const READERS: usize = 4;

/// Connections that read.
pub(crate) struct Pool {
    file: PathBuf,
    readers: Vec<Connection>,
    scanners: Vec<Connection>,
    turn: AtomicUsize,
}

/// A connection. A statement locks it only while it runs, and nobody awaits meanwhile.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Mutex<rusqlite::Connection>>);

/// Opens the file, brings its schema up to date and checks every statement; the connection is the one that writes.
pub(crate) fn open(file: &Path, now: Timestamp) -> Result<(Connection, Pool), StoreError> {
    let writer = connect(file, 32)?;
    bring_up_to_date(&writer, now)?;
    for statement in STATEMENTS {
        let checked = writer.prepare(statement.sqlite());
        drop(checked.map_err(|error| StoreError::broken(format!("{error} in: {}", statement.sqlite())))?);
    }
    let some = || (0..READERS).map(|_| connect(file, 4).map(wrap)).collect::<Result<Vec<_>, _>>();
    let pool = Pool { file: file.to_owned(), readers: some()?, scanners: some()?, turn: AtomicUsize::new(0) };
    Ok((wrap(writer), pool))
}

impl Pool {
    /// For a point read.
    pub(crate) fn reader(&self) -> Connection {
        self.free(&self.readers)
    }

    /// For a list or a search.
    pub(crate) fn scanner(&self) -> Connection {
        self.free(&self.scanners)
    }

    /// A connection of its own with a transaction that reads. In WAL mode writers go on beside it.
    pub(crate) fn snapshot(&self) -> Result<Connection, StoreError> {
        let connection = wrap(connect(&self.file, 2)?);
        connection.control("begin")?;
        Ok(connection)
    }

    /// A connection that nobody uses at the moment, or the next in turn.
    fn free(&self, pool: &[Connection]) -> Connection {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let order = (0..pool.len()).map(|step| &pool[(turn + step) % pool.len()]);
        order
            .clone()
            .find(|connection| connection.0.try_lock().is_ok())
            .unwrap_or(&pool[turn % pool.len()])
            .clone()
    }
}

fn wrap(connection: rusqlite::Connection) -> Connection {
    Connection(Arc::new(Mutex::new(connection)))
}

/// Opens the file with `cache` MiB of page cache. `synchronous=FULL`: a commit survives a power cut.
fn connect(file: &Path, cache: i64) -> Result<rusqlite::Connection, StoreError> {
    let connection = rusqlite::Connection::open(file)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    // Plans depend on the text alone. Otherwise a statement that might use a partial index is compiled anew
    // whenever its arguments change, which cost a read by id eight times what it costs now.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -1024 * cache)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "wal_autocheckpoint", 16_384)?; // 64 MiB: a page that changes often is copied once
    connection.set_prepared_statement_cache_capacity(256);
    Ok(connection)
}

fn bring_up_to_date(connection: &rusqlite::Connection, now: Timestamp) -> Result<(), StoreError> {
    connection.execute_batch("begin immediate")?;
    connection.execute_batch(migrate::LEDGER)?;
    let version: i64 =
        connection.query_row("select coalesce(max(version), 0) from schema_version", [], |row| row.get(0))?;
    for (number, text) in migrate::after(version).map_err(StoreError::broken)? {
        let text = text
            .replace("{position}", "integer primary key")
            .replace("{clustered}", "without rowid")
            .replace("{bytewise}", ""); // as this engine always does
        connection.execute_batch(&text)?;
        connection.execute(
            "insert into schema_version (version, applied_at) values (?1, ?2)",
            (number, now.millis()),
        )?;
    }
    connection.execute_batch("commit")?;
    Ok(())
}

/// Drives a future that never waits: on this engine every statement is done when it returns.
pub(crate) fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a verb awaits nothing but its statements, and these are done at once"),
    }
}

impl Connection {
    pub(crate) fn all<T>(
        &self,
        sql: &Sql,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(sql.sqlite())?;
        let mut rows = statement.query(rusqlite::params_from_iter(args))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(&Row::Sqlite(row))?);
        }
        Ok(all)
    }

    pub(crate) fn run(&self, sql: &Sql, args: &[Arg<'_>]) -> Result<u64, StoreError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let touched = connection.prepare_cached(sql.sqlite())?.execute(rusqlite::params_from_iter(args))?;
        Ok(touched as u64)
    }

    /// Runs a statement once for each of `rows`, which looks it up once.
    pub(crate) fn run_each(&self, sql: &Sql, rows: &[Vec<Arg<'_>>]) -> Result<(), StoreError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(sql.sqlite())?;
        for row in rows {
            statement.execute(rusqlite::params_from_iter(row))?;
        }
        Ok(())
    }

    /// The same with every row of every answer.
    pub(crate) fn all_each<T>(
        &self,
        sql: &Sql,
        rows: &[Vec<Arg<'_>>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(sql.sqlite())?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let mut answer = statement.query(rusqlite::params_from_iter(row))?;
            while let Some(row) = answer.next()? {
                all.push(read(&Row::Sqlite(row))?);
            }
        }
        Ok(all)
    }

    /// Runs a statement without arguments: those around a transaction.
    pub(crate) fn control(&self, text: &str) -> Result<(), StoreError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.prepare_cached(text)?.execute([]).map(drop).map_err(StoreError::from)
    }
}
