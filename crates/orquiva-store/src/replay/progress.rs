//! How replays get on: what is due of one is put into the endpoint's lane, a bounded number ahead and no faster than asked.

use orquiva_core::event::Types;
use orquiva_core::id::{CompanyId, DeliveryId, Mint, ReplayId, WebhookId};
use orquiva_core::webhook::replay::Which;
use orquiva_core::{Timestamp, event::Pattern};

use super::part::{Asked, target};
use super::{cancel, keep_counts};
use crate::event::Event;
use crate::lane::{self, Lane};
use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// Deliveries of a replay that wait at a time, at most: it neither fills the lane nor is much of it to be cancelled.
const AHEAD: i64 = 1_000;

/// Events that one transaction looks at.
const CHUNK: i64 = 250;

/// How soon a replay goes on that is as far ahead as it may be, in milliseconds.
const FULL: i64 = 250;

/// How soon it is looked again whether the last ones are over, in milliseconds.
const ENDING: i64 = 1_000;

/// What a step of a replay led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There was nothing to do for it.
    Rests,
    /// It has come further, without anything to send.
    Moved,
    /// Something was put into its lane.
    Queued(Lane),
}

/// A replay that has to go on.
struct Due {
    id: ReplayId,
    lane: Lane,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    types: Option<Types>,
    which: Which,
    sequences: Option<Vec<i64>>,
    rate: Option<i64>,
    position: i64,
    last: i64,
}

/// Up to `limit` replays of all companies that have to go on at `now`, those that wait for longest first.
pub async fn due(tx: &Tx, now: Timestamp, limit: i64) -> Result<Vec<(CompanyId, ReplayId)>, StoreError> {
    let sql = sql!("select company_id, id from replay where next_at <= $1 order by next_at limit $2");
    tx.all(sql, args![now, limit], |row| Ok((row.id(0)?, row.id(1)?))).await
}

/// Goes on with a replay, in one transaction: of several nodes one does, and after a crash it goes on from here.
pub async fn advance(
    tx: &Tx,
    mint: &Mint,
    company: CompanyId,
    id: ReplayId,
    now: Timestamp,
) -> Result<Step, StoreError> {
    let Some(due) = held(tx, company, id, now).await? else { return Ok(Step::Rests) };
    let target = match lane::lock(tx, due.lane).await? {
        true => target(tx, company, due.lane.webhook).await,
        false => Err(StoreError::NotFound),
    };
    let target = match target {
        Ok(target) if !target.is_disabled() => target,
        Ok(_) => return end(tx, &due, "webhook_disabled", now).await,
        Err(StoreError::NotFound) => return end(tx, &due, "webhook_deleted", now).await,
        Err(error) => return Err(error),
    };
    let waiting = waiting(tx, company, id).await?;
    if due.position >= due.last {
        return match waiting {
            0 => complete(tx, &due, now).await,
            _ => rest(tx, &due, now.plus(ENDING)).await,
        };
    }
    let most = due.rate.map_or(CHUNK, |rate| rate.min(CHUNK));
    if waiting + most > AHEAD {
        return rest(tx, &due, now.plus(FULL)).await;
    }
    let ordered = target.ordered;
    let mut asked = Asked::of(target, due.types.as_ref());
    (asked.from, asked.to, asked.last) = (due.from, due.to, due.last);
    asked.sequences.clone_from(&due.sequences);
    let part = asked.look(tx, company, due.position, most).await?;
    let meant: Vec<_> = part
        .events
        .into_iter()
        .filter(|(_, fate)| fate.is_meant_by(due.which))
        .map(|(event, _)| event)
        .collect();
    queue(tx, mint, &due, ordered, &meant, now).await?;
    // As long as these take at the rate that was asked for.
    let next = due.rate.map_or(now, |rate| now.plus(meant.len() as i64 * 1_000 / rate));
    let sql = sql!(
        "update replay set position = $3, queued = queued + $4, next_at = $5 where company_id = $1 and id = $2"
    );
    tx.run(sql, args![company, id, part.through, meant.len() as i64, next]).await?;
    if meant.is_empty() {
        return Ok(Step::Moved);
    }
    lane::mark_due(tx, &[due.lane], now).await?;
    Ok(Step::Queued(due.lane))
}

/// The replay, if it is due and nobody else is at it; nobody else will be until this transaction ends.
async fn held(tx: &Tx, company: CompanyId, id: ReplayId, now: Timestamp) -> Result<Option<Due>, StoreError> {
    let sql = sql!(
        sqlite
        "select webhook_id, from_at, to_at, types, which, sequences, rate, position, last from replay
          where company_id = $1 and id = $2 and next_at <= $3",
        postgres
        "select webhook_id, from_at, to_at, types, which, sequences, rate, position, last from replay
          where company_id = $1 and id = $2 and next_at <= $3 for update skip locked"
    );
    tx.first(sql, args![company, id, now], |row| read(row, company, id)).await
}

fn read(row: &Row<'_>, company: CompanyId, id: ReplayId) -> Result<Due, StoreError> {
    let webhook: WebhookId = row.id(0)?;
    let which = row.text(4)?;
    let patterns = |text: String| {
        let stored: Vec<String> = serde_json::from_str(&text).map_err(StoreError::broken)?;
        let patterns: Vec<_> = stored.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
        Ok::<_, StoreError>(Types::matching(&patterns, None))
    };
    let sequences = row.opt_text(5)?.map(|text| serde_json::from_str(&text));
    Ok(Due {
        id,
        lane: Lane { company, webhook },
        from: row.opt_time(1)?,
        to: row.opt_time(2)?,
        types: row.opt_text(3)?.map(patterns).transpose()?,
        which: Which::parse(&which).ok_or_else(|| StoreError::broken(format!("`{which}` is no choice")))?,
        sequences: sequences.transpose().map_err(StoreError::broken)?,
        rate: row.opt_int(6)?,
        position: row.int(7)?,
        last: row.int(8)?,
    })
}

/// How many of its deliveries wait, as far as it matters.
async fn waiting(tx: &Tx, company: CompanyId, id: ReplayId) -> Result<i64, StoreError> {
    let sql = sql!(
        sqlite
        "select count(*) from (select id from delivery indexed by delivery_replay_waiting where company_id = $1
            and replay_id = $2 and replay_id is not null and state = 'waiting' limit $3) waiting",
        postgres
        "select count(*) from (select id from delivery where company_id = $1 and replay_id = $2
            and replay_id is not null and state = 'waiting' limit $3) waiting"
    );
    tx.first(sql, args![company, id, AHEAD], |row| row.int(0)).await.map(Option::unwrap_or_default)
}

/// Puts `events` into the lane, one after the other at the rate that was asked for. In a lane that keeps order they take
/// the places that they have in the log.
async fn queue(
    tx: &Tx,
    mint: &Mint,
    due: &Due,
    ordered: bool,
    events: &[Event],
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into delivery (company_id, id, webhook_id, event_id, event_type, state, attempts, due_at, first_due_at,
            created_at, place, replay_id)
         values ($1, $2, $3, $4, $5, 'waiting', 0, $6, $6, $7, $8, $9)"
    );
    let Lane { company, webhook } = due.lane;
    let row = |(at, event): (usize, &Event)| {
        let id: DeliveryId = mint.next();
        let place = ordered.then_some(event.sequence);
        let at = due.rate.map_or(now, |rate| now.plus(at as i64 * 1_000 / rate));
        args![company, id, webhook, event.id, event.kind.clone(), at, now, place, due.id].to_vec()
    };
    tx.run_each(sql, &events.iter().enumerate().map(row).collect::<Vec<_>>()).await
}

async fn rest(tx: &Tx, due: &Due, until: Timestamp) -> Result<Step, StoreError> {
    let sql = sql!("update replay set next_at = $3 where company_id = $1 and id = $2");
    tx.run(sql, args![due.lane.company, due.id, until]).await?;
    Ok(Step::Rests)
}

async fn complete(tx: &Tx, due: &Due, now: Timestamp) -> Result<Step, StoreError> {
    let sql = sql!(
        "update replay set status = 'completed', next_at = null, done_at = $3 where company_id = $1 and id = $2"
    );
    tx.run(sql, args![due.lane.company, due.id, now]).await?;
    keep_counts(tx, due.lane.company, due.id).await?;
    Ok(Step::Rests)
}

async fn end(tx: &Tx, due: &Due, reason: &str, now: Timestamp) -> Result<Step, StoreError> {
    cancel(tx, due.lane, due.id, Some(reason), now).await?;
    Ok(Step::Rests)
}
