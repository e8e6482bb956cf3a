//! The writers. Each takes whatever waits at the moment, runs every verb in one shared transaction, commits once and
//! only then answers. Nothing waits on purpose.
//!
//! A verb that is refused must leave no trace in what the others share. On SQLite each runs under a savepoint. On
//! PostgreSQL a savepoint is dear and keeps verbs in single file, so those of different companies run side by side
//! without one: their statements travel together. So do those of one company that only add ([`Order::Beside`]). If one
//! of them has to be undone, all are, and each runs again, in single file and under savepoints. A group that waits for
//! another node's while that one waits for it is undone by PostgreSQL, and runs again too, a few times at most.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};
use orquiva_core::id::CompanyId;
use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::tx::{Tx, TxEngine};
use crate::{postgres, sqlite};

/// Most verbs that one commit carries.
const MAX_GROUP: usize = 256;

/// Verbs that may wait for a writer before new ones are held back.
const MAX_WAITING: usize = 8192;

/// How often a group is run before one of its verbs hears that it was undone for the sake of another node's.
const MOST_TRIES: u32 = 5;

/// How a verb gets on with the others of its company that wait at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// It runs when those before it are done, and those after it wait.
    InTurn,
    /// It may run at the same time as others that say so. For a verb that only adds: whatever comes of it does not
    /// depend on what others like it add meanwhile, but for what the database itself refuses (a value that is taken).
    Beside,
    /// It runs before the others that wait at the same moment. For a verb that holds endpoints: everyone holds these
    /// before lanes, and a verb of the same transaction may hold lanes.
    First,
}

/// A verb on its way to a writer.
pub(crate) struct Job {
    company: Option<CompanyId>,
    order: Order,
    asked: Box<dyn Asked>,
}

/// A verb, and whoever waits for its answer.
trait Asked: Send {
    /// Runs it; whether what it wrote is kept. The result of the last run counts.
    fn run(&mut self, tx: Tx) -> Pin<Box<dyn Future<Output = bool> + Send>>;

    /// Answers with the result, or with the reason why the transaction was lost. A caller that went away needs no
    /// answer; what it asked for is done.
    fn answer(self: Box<Self>, lost: Option<StoreError>);
}

struct Question<T, E, F> {
    verb: F,
    /// Whether it is stored if it succeeds.
    store: bool,
    result: Arc<Mutex<Option<Result<T, E>>>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F, R> Asked for Question<T, E, F>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(Tx) -> R + Clone + Send + 'static,
    R: Future<Output = Result<T, E>> + Send,
{
    fn run(&mut self, tx: Tx) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let (verb, slot, store) = (self.verb.clone(), self.result.clone(), self.store);
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = None; // a run that was undone told nothing
        Box::pin(async move {
            let result = verb(tx).await;
            let keep = store && result.is_ok();
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            keep
        })
    }

    fn answer(self: Box<Self>, lost: Option<StoreError>) {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (lost, result) {
            (Some(lost), _) => drop(self.reply.send(Err(lost.into()))),
            (None, Some(result)) => drop(self.reply.send(result)),
            (None, None) => {} // it panicked: whoever waits hears that nobody answers
        }
    }
}

impl Job {
    /// A verb, whether it is stored if it succeeds, and where its answer will come.
    pub(crate) fn new<T, E, F, R>(
        company: Option<CompanyId>,
        order: Order,
        store: bool,
        verb: F,
    ) -> (Self, oneshot::Receiver<Result<T, E>>)
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> R + Clone + Send + 'static,
        R: Future<Output = Result<T, E>> + Send,
    {
        let (reply, answer) = oneshot::channel();
        let question = Question { verb, store, result: Arc::default(), reply };
        (Self { company, order, asked: Box::new(question) }, answer)
    }
}

/// Answers everyone of a group; `lost` says why nothing of it is stored.
fn answer(group: Vec<Job>, lost: Option<StoreError>) {
    if let Some(cause) = &lost {
        tracing::error!(%cause, "a group of writes was lost; none of it is stored");
    }
    for job in group {
        job.asked.answer(lost.as_ref().map(|cause| StoreError::Unavailable(cause.to_string())));
    }
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

/// A writer of PostgreSQL, over a connection of its own; one that is not the worker's takes `turns` with the others.
pub(crate) fn postgres(slot: postgres::Slot, turns: Option<Arc<Turns>>) -> Queue {
    let (queue, jobs) = mpsc::channel(MAX_WAITING);
    tokio::spawn(write_to_postgres(slot, jobs, turns));
    queue
}

/// Whether the writers of companies write beside each other or one at a time. Each is a process of the database, and all of
/// them together leave too little for the worker's one, when it has to make up for what they wrote.
#[derive(Default)]
pub(crate) struct Turns {
    apart: AtomicBool,
    turn: tokio::sync::Mutex<()>,
}

impl Turns {
    /// From now on.
    pub(crate) fn set_apart(&self, apart: bool) {
        self.apart.store(apart, Ordering::Relaxed);
    }

    /// Waits until a group may begin; it is over when what is returned is dropped.
    async fn next(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match self.apart.load(Ordering::Relaxed) {
            true => Some(self.turn.lock().await),
            false => None,
        }
    }
}

/// For as long as there is someone to write for.
fn write_to_sqlite(connection: &sqlite::Connection, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = Vec::new();
        let mut lost = connection.control("begin immediate").err();
        let mut next = Some(first);
        while let Some(mut job) = next {
            run_one(connection, &mut job);
            group.push(job);
            next = (group.len() < MAX_GROUP).then(|| jobs.try_recv().ok()).flatten();
        }
        if lost.is_none() {
            lost = connection.control("commit").err();
        }
        if lost.is_some() {
            drop(connection.control("rollback")); // it fails if the transaction is already gone, which is as good
        }
        answer(group, lost);
    }
}

/// Runs one verb under a savepoint. A verb that panics is undone like one that fails.
fn run_one(connection: &sqlite::Connection, job: &mut Job) {
    drop(connection.control("savepoint verb"));
    let tx = Tx(TxEngine::Sqlite(connection.clone()));
    let run = std::panic::AssertUnwindSafe(|| sqlite::finish(job.asked.run(tx)));
    let keep = std::panic::catch_unwind(run).unwrap_or(false);
    // Without a transaction these fail, and so does the commit, which says so for the whole group.
    if !keep {
        drop(connection.control("rollback to verb"));
    }
    drop(connection.control("release verb"));
}

/// For as long as there is someone to write for.
async fn write_to_postgres(slot: postgres::Slot, mut jobs: mpsc::Receiver<Job>, turns: Option<Arc<Turns>>) {
    while let Some(first) = jobs.recv().await {
        let _turn = match &turns {
            Some(turns) => turns.next().await,
            None => None,
        };
        let mut group = vec![first];
        while let Some(next) = (group.len() < MAX_GROUP).then(|| jobs.try_recv().ok()).flatten() {
            group.push(next);
        }
        group.sort_by_key(|job| job.order != Order::First);
        let lost = match slot.connection().await {
            Ok(connection) => write_group(&connection, &mut group).await,
            Err(cause) => Some(cause),
        };
        answer(group, lost);
    }
}

/// What has come of a group.
enum End {
    /// It is committed, but for what was refused.
    Kept,
    /// One of several that shared the transaction has to be undone, and with it all are.
    Apart,
    /// The transaction and one of another node waited for each other, and this one was undone.
    Beaten,
}

/// Runs a group and commits it; the reason if it was lost.
async fn write_group(connection: &postgres::Connection, group: &mut [Job]) -> Option<StoreError> {
    let (mut tries, mut apart) = (MOST_TRIES, false);
    connection.has_given_way(); // whatever it was, it is not of this group
    loop {
        tries -= 1;
        let done = match &mut *group {
            [job] => alone(connection, job, tries).await,
            jobs if apart => in_single_file(connection, jobs, tries).await,
            jobs => side_by_side(connection, jobs).await,
        };
        match done {
            Ok(End::Kept) => return None,
            Ok(End::Apart) => apart = true,
            Ok(End::Beaten) => {
                tracing::info!(
                    tries,
                    "a group of writes and those of another node waited for each other; it runs again"
                );
            }
            Err(lost) => {
                drop(connection.batch("rollback").await); // it fails if the connection is gone, which is as good
                if tries == 0 || !connection.has_given_way() {
                    return Some(lost);
                }
            }
        }
    }
}

/// Ends a transaction whose verbs are all kept. Not `commit` alone: after a statement that failed unnoticed it
/// would roll back and say nothing.
const COMMIT: &str = "savepoint kept; commit";

/// Runs the one verb that waits: what it undoes is the whole transaction.
async fn alone(connection: &postgres::Connection, job: &mut Job, tries: u32) -> Result<End, StoreError> {
    let tx = Tx(TxEngine::Postgres(connection.clone()));
    let verb = std::panic::AssertUnwindSafe(job.asked.run(tx)).catch_unwind();
    let (begun, keep) = join(connection.batch("begin"), verb).await;
    begun?;
    let beaten = connection.has_given_way() && tries > 0;
    let keep = keep.unwrap_or(false) && !beaten;
    connection.batch(if keep { COMMIT } else { "rollback" }).await?;
    Ok(if beaten { End::Beaten } else { End::Kept })
}

/// Runs those of different companies, and those of one that may, at the same time and commits them together, unless one
/// of them has to be undone.
async fn side_by_side(connection: &postgres::Connection, group: &mut [Job]) -> Result<End, StoreError> {
    let mut companies: BTreeMap<Option<CompanyId>, Vec<&mut Job>> = BTreeMap::new();
    for job in group.iter_mut() {
        companies.entry(job.company).or_default().push(job);
    }
    let runs = companies.into_values().map(|mut jobs| async move {
        let mut clean = true;
        for beside in jobs.chunk_by_mut(|one, next| [one.order, next.order] == [Order::Beside; 2]) {
            let runs = beside.iter_mut().map(|job| share(connection, job));
            clean &= join_all(runs).await.into_iter().all(|clean| clean);
        }
        clean
    });
    let (begun, clean) = join(connection.batch("begin"), join_all(runs)).await;
    begun?;
    if connection.has_given_way() || !clean.into_iter().all(|clean| clean) {
        connection.batch("rollback").await?;
        return Ok(End::Apart);
    }
    connection.batch(COMMIT).await?;
    Ok(End::Kept)
}

/// Runs one of several verbs that share a transaction; whether the transaction may be kept for all that it did.
async fn share(connection: &postgres::Connection, job: &mut Job) -> bool {
    let shared = connection.shared();
    let tx = Tx(TxEngine::Postgres(shared.clone()));
    let run = std::panic::AssertUnwindSafe(job.asked.run(tx)).catch_unwind();
    run.await.unwrap_or(false) || !shared.has_left_marks()
}

/// Runs one verb after the other, each under a savepoint that travels with its first statement, and commits.
async fn in_single_file(
    connection: &postgres::Connection,
    group: &mut [Job],
    tries: u32,
) -> Result<End, StoreError> {
    let mut preface = "begin; savepoint verb";
    let mut lost = None;
    for job in group {
        let tx = Tx(TxEngine::Postgres(connection.clone()));
        let verb = std::panic::AssertUnwindSafe(job.asked.run(tx)).catch_unwind();
        let (prepared, keep) = join(connection.batch(preface), verb).await;
        if tries > 0 && connection.has_given_way() {
            connection.batch("rollback").await?;
            return Ok(End::Beaten); // those before it are undone too, so that none of them is stored twice
        }
        lost = lost.or(prepared.err());
        preface = match keep {
            Ok(true) => "release savepoint verb; savepoint verb",
            Ok(false) | Err(_) => "rollback to savepoint verb",
        };
    }
    let end = match preface.starts_with("rollback") {
        true => "rollback to savepoint verb; commit",
        false => "release savepoint verb; commit",
    };
    let ended = connection.batch(end).await;
    lost.or(ended.err()).map_or(Ok(End::Kept), Err)
}
