//! Replays: events that one endpoint gets again. Each is a row that says how far it has come, so that any node goes on
//! with it, also after a crash.

use orquiva_core::Timestamp;
use orquiva_core::id::{CompanyId, ReplayId, WebhookId};
use orquiva_core::webhook::replay::Which;

use crate::lane::{self, Lane};
use crate::sql::{Sql, sql};
use crate::{Arg, Row, StoreError, Tx, args};

pub mod part;
pub mod progress;

/// A replay.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Its id.
    pub id: ReplayId,
    /// To which endpoint.
    pub webhook: WebhookId,
    /// Events from this moment on, if none are named.
    pub from: Option<Timestamp>,
    /// Events before this moment.
    pub to: Option<Timestamp>,
    /// Of these types only.
    pub types: Option<Vec<String>>,
    /// By what became of them.
    pub which: Which,
    /// Their places in the log, if they are named one by one.
    pub sequences: Option<Vec<i64>>,
    /// Most that are sent in a second.
    pub rate: Option<i64>,
    /// `running`, `completed` or `cancelled`.
    pub status: String,
    /// Why it was cancelled, if nobody asked for it.
    pub reason: Option<String>,
    /// The last place of the log that was looked at.
    pub position: i64,
    /// The last one that is to be looked at.
    pub last: i64,
    /// How many events it was to be when it was asked for.
    pub total: i64,
    /// Whether that was counted to the end.
    pub is_exact: bool,
    /// How many were put into the lane.
    pub queued: i64,
    /// What became of them.
    pub counts: Counts,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was over.
    pub done_at: Option<Timestamp>,
}

/// What became of the deliveries of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They wait.
    pub waiting: i64,
    /// They arrived.
    pub delivered: i64,
    /// They ran out of tries.
    pub failed: i64,
    /// They were cancelled.
    pub cancelled: i64,
}

/// Replays of a company that may run at once.
pub const MOST_RUNNING: i64 = 20;

/// Writes a replay down; it begins at once.
pub async fn create(tx: &Tx, company: CompanyId, new: &Replay) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into replay (company_id, id, webhook_id, from_at, to_at, types, which, sequences, rate, status, position,
            last, total, is_exact, queued, next_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'running', $10, $11, $12, $13, 0, $14, $14)"
    );
    let Replay { id, webhook, from, to, types, which, sequences, rate, .. } = new;
    let Replay { position, last, total, is_exact, created_at, .. } = new;
    let types = types.as_ref().map(serde_json::to_string).transpose().map_err(StoreError::broken)?;
    let sequences = sequences.as_ref().map(serde_json::to_string).transpose().map_err(StoreError::broken)?;
    let asked = args![company, *id, *webhook, *from, *to, types, which.as_str(), sequences, *rate];
    let stand = args![*position, *last, *total, i64::from(*is_exact), *created_at];
    tx.run(sql, &asked.iter().chain(stand).cloned().collect::<Vec<_>>()).await.map(drop)
}

/// How many replays of a company are not over.
pub async fn running(tx: &Tx, company: CompanyId) -> Result<i64, StoreError> {
    let sql = sql!("select count(*) from replay where company_id = $1 and next_at is not null");
    tx.first(sql, args![company], |row| row.int(0)).await.map(Option::unwrap_or_default)
}

/// One replay, and what has become of its deliveries.
pub async fn get(tx: &Tx, company: CompanyId, id: ReplayId) -> Result<Replay, StoreError> {
    let sql = sql!(
        "select id, webhook_id, from_at, to_at, types, which, sequences, rate, status, reason, position, last, total,
            is_exact, queued, delivered, failed, cancelled, created_at, done_at
           from replay where company_id = $1 and id = $2"
    );
    let found = tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)?;
    told(tx, company, found).await
}

/// Up to `limit` replays of a company, or of one of its endpoints, the newest first, before `before`.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    webhook: Option<WebhookId>,
    before: Option<ReplayId>,
    limit: i64,
) -> Result<Vec<Replay>, StoreError> {
    let mut text = String::from(
        "select id, webhook_id, from_at, to_at, types, which, sequences, rate, status, reason, position, last, total,
            is_exact, queued, delivered, failed, cancelled, created_at, done_at
           from replay where company_id = $1",
    );
    let mut args = args![company].to_vec();
    let mut and = |condition: &str, value: Arg<'static>| {
        args.push(value);
        text.push_str(&format!(" and {condition} ${}", args.len()));
    };
    if let Some(webhook) = webhook {
        and("webhook_id =", webhook.into());
    }
    if let Some(before) = before {
        and("id <", before.into());
    }
    args.push(limit.into());
    text.push_str(&format!(" order by id desc limit ${}", args.len()));
    let found = tx.all(&Sql::made(text), &args, read).await?;
    let mut all = Vec::with_capacity(found.len());
    for one in found {
        all.push(told(tx, company, one).await?);
    }
    Ok(all)
}

/// Ends a replay: what of it was not sent yet is cancelled. False if it was over.
pub async fn cancel(
    tx: &Tx,
    lane: Lane,
    id: ReplayId,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let end = sql!(
        "update replay set status = 'cancelled', reason = $3, next_at = null, done_at = $4
          where company_id = $1 and id = $2 and next_at is not null"
    );
    if tx.run(end, args![lane.company, id, reason, now]).await? == 0 {
        return Ok(false);
    }
    lane::lock(tx, lane).await?; // in the order in which everyone takes them: the lane, then what is in it
    let waiting = sql!(
        sqlite
        "update delivery indexed by delivery_replay_waiting set state = 'cancelled', done_at = $3
          where company_id = $1 and replay_id = $2 and replay_id is not null and state = 'waiting'",
        postgres
        "update delivery set state = 'cancelled', done_at = $3
          where company_id = $1 and replay_id = $2 and replay_id is not null and state = 'waiting'"
    );
    tx.run(waiting, args![lane.company, id, now]).await?;
    keep_counts(tx, lane.company, id).await?;
    Ok(true)
}

/// Removes a company's replays that were over before `before`.
pub async fn forget(tx: &Tx, company: CompanyId, before: Timestamp) -> Result<(), StoreError> {
    let sql = sql!("delete from replay where company_id = $1 and done_at < $2 and next_at is null");
    tx.run(sql, args![company, before]).await.map(drop)
}

/// Writes down what became of the deliveries of a replay that is over.
async fn keep_counts(tx: &Tx, company: CompanyId, id: ReplayId) -> Result<(), StoreError> {
    let Counts { delivered, failed, cancelled, .. } = counts(tx, company, id).await?;
    let sql = sql!(
        "update replay set delivered = $3, failed = $4, cancelled = $5 where company_id = $1 and id = $2"
    );
    tx.run(sql, args![company, id, delivered, failed, cancelled]).await.map(drop)
}

/// What has become of the deliveries of a replay.
async fn counts(tx: &Tx, company: CompanyId, id: ReplayId) -> Result<Counts, StoreError> {
    let sql = sql!(
        sqlite
        "select state, count(*) from delivery indexed by delivery_replay
          where company_id = $1 and replay_id = $2 and replay_id is not null group by state",
        postgres
        "select state, count(*) from delivery
          where company_id = $1 and replay_id = $2 and replay_id is not null group by state"
    );
    let mut counts = Counts::default();
    for (state, count) in tx.all(sql, args![company, id], |row| Ok((row.text(0)?, row.int(1)?))).await? {
        match state.as_str() {
            "waiting" => counts.waiting = count,
            "delivered" => counts.delivered = count,
            "failed" => counts.failed = count,
            _ => counts.cancelled = count,
        }
    }
    Ok(counts)
}

/// A replay with what has become of its deliveries. It is over once all were put into the lane and none waits.
async fn told(tx: &Tx, company: CompanyId, mut replay: Replay) -> Result<Replay, StoreError> {
    if replay.done_at.is_none() {
        replay.counts = counts(tx, company, replay.id).await?;
        if replay.position >= replay.last && replay.counts.waiting == 0 {
            "completed".clone_into(&mut replay.status);
        }
    }
    Ok(replay)
}

fn read(row: &Row<'_>) -> Result<Replay, StoreError> {
    let which = row.text(5)?;
    let list = |column: usize| row.opt_text(column);
    Ok(Replay {
        id: row.id(0)?,
        webhook: row.id(1)?,
        from: row.opt_time(2)?,
        to: row.opt_time(3)?,
        types: list(4)?.map(|text| serde_json::from_str(&text)).transpose().map_err(StoreError::broken)?,
        which: Which::parse(&which).ok_or_else(|| StoreError::broken(format!("`{which}` is no choice")))?,
        sequences: list(6)?
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(StoreError::broken)?,
        rate: row.opt_int(7)?,
        status: row.text(8)?,
        reason: row.opt_text(9)?,
        position: row.int(10)?,
        last: row.int(11)?,
        total: row.int(12)?,
        is_exact: row.int(13)? != 0,
        queued: row.int(14)?,
        counts: Counts {
            waiting: 0,
            delivered: row.opt_int(15)?.unwrap_or_default(),
            failed: row.opt_int(16)?.unwrap_or_default(),
            cancelled: row.opt_int(17)?.unwrap_or_default(),
        },
        created_at: row.time(18)?,
        done_at: row.opt_time(19)?,
    })
}
