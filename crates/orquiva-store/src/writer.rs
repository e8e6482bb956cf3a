//! The writers. Each takes whatever waits at the moment, runs every verb under a savepoint of one shared
//! transaction, commits once and only then answers. Nothing waits on purpose.

use std::pin::Pin;

use futures_util::FutureExt as _;
use futures_util::future::join;
use tokio::sync::mpsc;

use crate::error::StoreError;
use crate::tx::{Tx, TxEngine};
use crate::{postgres, sqlite};

/// Most verbs that one commit carries.
const MAX_GROUP: usize = 256;

/// Verbs that may wait for a writer before new ones are held back.
const MAX_WAITING: usize = 8192;

/// A verb on its way to a writer.
pub(crate) type Job = Box<dyn FnOnce(Tx) -> Pin<Box<dyn Future<Output = Settled> + Send>> + Send>;

/// A verb that has run, and waits for the commit to answer.
pub(crate) struct Settled {
    /// Whether what it wrote is kept; otherwise its savepoint is rolled back.
    pub(crate) keep: bool,
    /// Answers the caller; given the reason if the shared transaction was lost after all.
    pub(crate) answer: Box<dyn FnOnce(Option<StoreError>) + Send>,
}

/// What a queue of verbs is sent through.
pub(crate) type Queue = mpsc::Sender<Job>;

/// A writer of the embedded database: a thread of its own.
pub(crate) fn sqlite(connection: sqlite::Connection) -> Result<Queue, StoreError> {
    let (queue, jobs) = mpsc::channel(MAX_WAITING);
    std::thread::Builder::new()
        .name("sqlite-writer".to_owned())
        .spawn(move || write_to_sqlite(&connection, jobs))
        .map_err(StoreError::broken)?;
    Ok(queue)
}

/// A writer of PostgreSQL, over a connection of its own.
pub(crate) fn postgres(slot: postgres::Slot) -> Queue {
    let (queue, jobs) = mpsc::channel(MAX_WAITING);
    tokio::spawn(write_to_postgres(slot, jobs));
    queue
}

/// For as long as there is someone to write for.
fn write_to_sqlite(connection: &sqlite::Connection, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut settled = Vec::new();
        let mut lost = connection.batch("begin immediate").err();
        let mut next = Some(first);
        while let Some(job) = next {
            settled.push(run_one(connection, job));
            next = (settled.len() < MAX_GROUP).then(|| jobs.try_recv().ok()).flatten();
        }
        if lost.is_none() {
            lost = connection.batch("commit").err();
        }
        if let Some(cause) = &lost {
            tracing::error!(%cause, "a group of writes was lost; none of it is stored");
            drop(connection.batch("rollback")); // it fails if the transaction is already gone, which is as good
        }
        for Settled { answer, .. } in settled.into_iter().flatten() {
            answer(lost.as_ref().map(|cause| StoreError::Unavailable(cause.to_string())));
        }
    }
}

/// Runs one verb under a savepoint. A verb that panics is undone like one that fails; its caller hears of it
/// because nobody answers.
fn run_one(connection: &sqlite::Connection, job: Job) -> Option<Settled> {
    drop(connection.batch("savepoint verb"));
    let tx = Tx(TxEngine::Sqlite(connection.clone()));
    let run = std::panic::AssertUnwindSafe(|| sqlite::finish(job(tx)));
    let settled = std::panic::catch_unwind(run).ok();
    let end = match &settled {
        Some(Settled { keep: true, .. }) => "release verb",
        Some(_) | None => "rollback to verb; release verb",
    };
    drop(connection.batch(end)); // without a transaction the commit fails, and says so for the whole group
    settled
}

/// For as long as there is someone to write for.
async fn write_to_postgres(slot: postgres::Slot, mut jobs: mpsc::Receiver<Job>) {
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
    connection: &postgres::Connection,
    first: Job,
    jobs: &mut mpsc::Receiver<Job>,
) -> (Vec<Settled>, Option<StoreError>) {
    let client = &connection.client();
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
