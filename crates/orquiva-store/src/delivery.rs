//! Deliveries, one event on its way to one endpoint, and their attempts.

use std::sync::Arc;

use orquiva_core::Timestamp;
use orquiva_core::id::{CompanyId, DeliveryId, EventId};

use crate::event::Event;
use crate::lane::Lane;
use crate::sql::sql;
use crate::{Arg, Row, StoreError, Tx, args};

pub mod log;
pub mod tally;

/// What the router makes of an event and a subscription that matches.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Where to.
    pub lane: Lane,
    /// Which event.
    pub event: EventId,
    /// The event's type.
    pub kind: String,
    /// The event's sequence, if its lane keeps order.
    pub place: Option<i64>,
    /// When it is tried first.
    pub due: Timestamp,
}

/// A delivery that is due, with all it takes to send it.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its id.
    pub id: DeliveryId,
    /// Attempts that were made.
    pub attempts: i64,
    /// When the attempt to come first fell due.
    pub first_due_at: Timestamp,
    /// Whether someone asked for it again.
    pub replay: bool,
    /// Whether it has a place in an order.
    pub placed: bool,
    /// What is sent.
    pub event: Arc<Event>,
}

/// A delivery that is due.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Its id.
    pub id: DeliveryId,
    /// Attempts that were made.
    pub attempts: i64,
    /// When the attempt to come first fell due.
    pub first_due_at: Timestamp,
    /// Whether someone asked for it again.
    pub replay: bool,
    /// Whether it has a place in an order.
    pub placed: bool,
    /// What is sent.
    pub event: EventId,
}

/// What an attempt led to.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Which delivery.
    pub id: DeliveryId,
    /// Its lane.
    pub lane: Lane,
    /// The state that it is in now.
    pub state: State,
    /// Attempts that were spent by now.
    pub attempts: i64,
    /// The attempt.
    pub attempt: Attempt,
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is sent when this moment comes; the second is when that attempt first fell due.
    Waiting(Timestamp, Timestamp),
    /// It arrived.
    Delivered,
    /// It ran out of tries, or its endpoint is gone. It stays.
    Failed,
}

impl State {
    /// The states, as they stand in JSON and SQL. `cancelled`: its endpoint was deleted before it arrived.
    pub const ALL: &'static [&'static str] = &["waiting", "delivered", "failed", "cancelled"];
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Counts from 1; one that was put off has the number of the one that follows.
    pub number: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration: i64,
    /// The HTTP status, if there was an answer.
    pub status: Option<i64>,
    /// Why there was none.
    pub error: Option<&'static str>,
    /// The same in words.
    pub detail: Option<String>,
    /// What was called.
    pub url: String,
    /// The headers of the request that do not follow from the delivery, one `name: value` a line.
    pub sent: Option<String>,
    /// How the body was made of the event; nothing if plainly.
    pub shape: Option<&'static str>,
    /// Who was at the other end.
    pub address: Option<String>,
    /// The headers of an answer that was no success, one `name: value` a line.
    pub headers: Option<String>,
    /// The beginning of the answer's body, up to 8 KiB.
    pub response: Option<String>,
}

/// Makes deliveries at the moment `now`.
pub async fn create(tx: &Tx, deliveries: &[NewDelivery], now: Timestamp) -> Result<(), StoreError> {
    let sql = sql!(
        sqlite
        "insert into delivery (company_id, id, webhook_id, event_id, event_type, state, attempts, place,
            due_at, first_due_at, created_at)
         values ($1, $2, $3, $4, $5, 'waiting', 0, $6, $7, $7, $8)",
        postgres
        "insert into delivery (company_id, id, webhook_id, event_id, event_type, state, attempts, place,
            due_at, first_due_at, created_at)
         select company_id, id, webhook_id, event_id, event_type, 'waiting', 0, place, due_at, due_at, created_at
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
                       $8::bigint[])
             as each (company_id, id, webhook_id, event_id, event_type, place, due_at, created_at)"
    );
    let row = |new: &'_ NewDelivery| {
        let NewDelivery { id, lane, event, kind, place, due } = new;
        args![lane.company, *id, lane.webhook, *event, kind.clone(), *place, *due, now].to_vec()
    };
    let rows: Vec<Vec<Arg<'static>>> = deliveries.iter().map(row).collect();
    tx.run_all(sql, &rows).await
}

/// Up to where the line of what was never tried has been read.
pub type Reached = (Timestamp, DeliveryId);

/// What was read of a lane.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What is due, in the order in which it is to be sent.
    pub due: Vec<Waiting>,
    /// Up to where the line of what was never tried has been read, if that was not all.
    pub reached: Option<Reached>,
    /// Whether there may be more.
    pub has_more: bool,
}

/// `most` deliveries of a lane that are due at `now` and not among the `known`, if there are as many: each line the
/// longest due first; of what was never tried four go before one of what failed, and eight before one that someone asked
/// for again. What has a place goes in that order, up to the first that is not due; while the very first is not, none is
/// read. What was never tried is read from `reached` on.
pub async fn due(
    tx: &Tx,
    lane: Lane,
    now: Timestamp,
    (most, known): (usize, usize),
    reached: Option<Reached>,
) -> Result<Reading, StoreError> {
    let sql = sql!(
        "with first as (select id, attempts, due_at, first_due_at, event_id, replay_id, place, 1 as line from delivery
                         where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null
                           and attempts = 0 and replay_id is null and due_at <= $3 and (due_at, id) > ($6, $7)
                         order by due_at, id limit $5),
              placed as (select id, attempts, due_at, first_due_at, event_id, replay_id, place, 2 as line from delivery
                         where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is not null
                           and place <= (select case when due_at <= $3 then 9223372036854775807 else -1 end
                                           from delivery where company_id = $1 and webhook_id = $2
                                            and state = 'waiting' and place is not null order by place limit 1)
                         order by place limit $4),
              again as (select id, attempts, due_at, first_due_at, event_id, replay_id, place, 4 as line from delivery
                         where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null
                           and attempts > 0 and due_at <= $3 order by due_at, id limit $4),
              replayed as (select id, attempts, due_at, first_due_at, event_id, replay_id, place, 8 as line from delivery
                         where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null
                           and attempts = 0 and replay_id is not null and due_at <= $3 order by due_at, id limit $4),
              due as (select * from first union all select * from placed union all select * from again
                      union all select * from replayed),
              turned as (select *, row_number() over (partition by line order by place, due_at, id) as turn from due),
              next as (select * from turned order by turn * line, line limit $4)
         select id, attempts, first_due_at, replay_id, event_id, place, due_at, cast(line as bigint)
           from next order by turn * line, line"
    );
    let read = |row: &Row<'_>| {
        let waiting = Waiting {
            id: row.id(0)?,
            attempts: row.int(1)?,
            first_due_at: row.time(2)?,
            replay: row.opt_text(3)?.is_some(),
            placed: row.opt_int(5)?.is_some(),
            event: row.id(4)?,
        };
        Ok((waiting, row.time(6)?, row.int(7)?))
    };
    let all = (most + known) as i64;
    // Behind `reached` none is known.
    let first = if reached.is_some() { most as i64 } else { all };
    let (after, id) = reached.map(|(at, id)| (at, id.to_string())).unwrap_or_default();
    let found = tx.all(sql, args![lane.company, lane.webhook, now, all, first, after, id], read).await?;
    let tried_first = || found.iter().filter(|(.., line)| *line == 1);
    let has_more = found.len() as i64 >= all || tried_first().count() as i64 >= first;
    let reached = tried_first().next_back().map(|(due, due_at, _)| (*due_at, due.id)).or(reached);
    let mut blocked = false;
    let goes = |(due, due_at, _): (Waiting, Timestamp, _)| {
        blocked |= due.placed && due_at > now;
        (!(due.placed && blocked)).then_some(due)
    };
    Ok(Reading {
        due: found.into_iter().filter_map(goes).collect(),
        reached: reached.filter(|_| has_more),
        has_more,
    })
}

/// Records what attempts led to. A delivery that is no longer waiting (its endpoint was deleted) stays as it is.
pub async fn settle<'s>(
    tx: &Tx,
    settled: impl Iterator<Item = &'s Settled>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let change = sql!(
        sqlite
        "update delivery set attempts = $3, state = $4, due_at = coalesce($5, due_at),
            first_due_at = coalesce($6, first_due_at), done_at = $7, status = $8, error = $9
          where company_id = $1 and id = $2 and state = 'waiting'",
        postgres
        "update delivery set attempts = each.attempts, state = each.state,
            due_at = coalesce(each.due_at, delivery.due_at),
            first_due_at = coalesce(each.first_due_at, delivery.first_due_at),
            done_at = each.done_at, status = each.status, error = each.error
           from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
                       $8::bigint[], $9::text[])
             as each (company_id, id, attempts, state, due_at, first_due_at, done_at, status, error)
          where delivery.company_id = each.company_id and delivery.id = each.id and delivery.state = 'waiting'"
    );
    let attempt = sql!(
        sqlite
        "insert into attempt (company_id, delivery_id, number, started_at, duration, status, error, response, detail, url,
            signature, shape, address, response_headers)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) on conflict do nothing",
        postgres
        "insert into attempt (company_id, delivery_id, number, started_at, duration, status, error, response, detail, url,
            signature, shape, address, response_headers)
         select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
                              $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
         on conflict do nothing"
    );
    let (mut changes, mut attempts) = (Vec::new(), Vec::new());
    for Settled { id, lane: Lane { company, .. }, state, attempts: spent, attempt } in settled {
        attempts.push(row_of(*company, *id, attempt));
        let (state, due, first, done) = match state {
            State::Waiting(due, first) => ("waiting", Some(*due), Some(*first), None),
            State::Delivered => ("delivered", None, None, Some(now)),
            State::Failed => ("failed", None, None, Some(now)),
        };
        let (status, error) = (attempt.status, attempt.error);
        changes.push(args![*company, *id, *spent, state, due, first, done, status, error].to_vec());
    }
    tokio::try_join!(biased; tx.run_all(change, &changes), tx.run_all(attempt, &attempts)).map(drop)
}

/// Deliveries that one transaction ends: few enough not to hold up anyone.
pub const PIECE: u64 = 1_000;

/// Ends up to [`PIECE`] of what waits for an endpoint, as `failed` or `cancelled`, and returns how many; nothing is removed.
pub async fn end_some(tx: &Tx, lane: Lane, state: &str, now: Timestamp) -> Result<u64, StoreError> {
    let sql = sql!(
        sqlite
        "update delivery set state = $3, done_at = $4 where company_id = $1 and id in
            (select id from (select id from delivery indexed by delivery_first
                              where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null
                                and attempts = 0 and replay_id is null
                              limit 1000) l1
             union all select id from (select id from delivery indexed by delivery_replayed
                              where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null
                                and attempts = 0 and replay_id is not null
                              limit 1000) l2
             union all select id from (select id from delivery indexed by delivery_again
                              where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null
                                and attempts > 0
                              limit 1000) l3
             union all select id from (select id from delivery indexed by delivery_placed
                              where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is not null
                              limit 1000) l4
             limit 1000)",
        postgres
        "update delivery set state = $3, done_at = $4 where company_id = $1 and id = any (array
            (select id from (select id from delivery
                              where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null
                                and attempts = 0 and replay_id is null
                              limit 1000) l1
             union all select id from (select id from delivery
                              where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null
                                and attempts = 0 and replay_id is not null
                              limit 1000) l2
             union all select id from (select id from delivery
                              where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null
                                and attempts > 0
                              limit 1000) l3
             union all select id from (select id from delivery
                              where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is not null
                              limit 1000) l4
             limit 1000))"
    );
    tx.run(sql, args![lane.company, lane.webhook, state, now]).await
}

/// Ends up to [`PIECE`] of what waits for an endpoint since before `before`, as failed because its time is over, and
/// returns how many.
pub async fn expire_some(tx: &Tx, lane: Lane, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
    let sql = sql!(
        sqlite
        "update delivery set state = 'failed', error = 'expired', done_at = $4 where company_id = $1 and id in
            (select id from delivery indexed by delivery_webhook
              where company_id = $1 and webhook_id = $2 and id < $3 and state = 'waiting' order by id limit 1000)",
        postgres
        "update delivery set state = 'failed', error = 'expired', done_at = $4 where company_id = $1 and id = any (array
            (select id from delivery
              where company_id = $1 and webhook_id = $2 and id < $3 and state = 'waiting' order by id limit 1000))"
    );
    tx.run(sql, args![lane.company, lane.webhook, DeliveryId::first_at(before), now]).await
}

/// How many deliveries to an endpoint have failed for good, up to `most`.
pub async fn failed(tx: &Tx, lane: Lane, most: i64) -> Result<i64, StoreError> {
    let sql = sql!(
        sqlite
        "select count(*) from (select id from delivery indexed by delivery_ended
            where company_id = $1 and webhook_id = $2 and state in ('failed', 'cancelled') and state = 'failed'
            limit $3) failed",
        postgres
        "select count(*) from (select id from delivery
            where company_id = $1 and webhook_id = $2 and state in ('failed', 'cancelled') and state = 'failed'
            limit $3) failed"
    );
    let count = tx.first(sql, args![lane.company, lane.webhook, most], |row| row.int(0)).await?;
    Ok(count.unwrap_or_default())
}

/// Gives what waits for an endpoint its place in the order of the log, or takes it away.
pub async fn put_in_order(tx: &Tx, lane: Lane, ordered: bool) -> Result<(), StoreError> {
    let put = sql!(
        sqlite
        "update delivery indexed by delivery_webhook
            set place = (select sequence from event where event.company_id = $1 and event.id = delivery.event_id)
          where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null",
        postgres
        "update delivery
            set place = (select sequence from event where event.company_id = $1 and event.id = delivery.event_id)
          where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null"
    );
    let free = sql!(
        sqlite
        "update delivery indexed by delivery_placed set place = null
          where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is not null",
        postgres
        "update delivery set place = null
          where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is not null"
    );
    tx.run(if ordered { put } else { free }, args![lane.company, lane.webhook]).await.map(drop)
}

fn row_of(company: CompanyId, delivery: DeliveryId, attempt: &Attempt) -> Vec<Arg<'_>> {
    let Attempt { number, started_at, duration, status, error, response, .. } = attempt;
    let Attempt { detail, url, sent, shape, address, headers, .. } = attempt;
    let known = args![company, delivery, *number, *started_at, *duration, *status, *error, response];
    let shown = args![detail, url, sent, *shape, address, headers];
    known.iter().chain(shown).cloned().collect()
}
