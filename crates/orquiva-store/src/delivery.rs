//! Deliveries, one event on its way to one endpoint, and their attempts.

use orquiva_core::Timestamp;
use orquiva_core::id::{CompanyId, DeliveryId, EventId};

use crate::event::{Event, conceal};
use crate::lane::Lane;
use crate::sql::sql;
use crate::{Arg, Row, StoreError, Tx, args};

pub mod log;

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
    pub event: Event,
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
        "insert into delivery (company_id, id, webhook_id, event_id, event_type, state, attempts, place,
            due_at, first_due_at, created_at)
         values ($1, $2, $3, $4, $5, 'waiting', 0, $6, $7, $7, $8)"
    );
    let row = |new: &'_ NewDelivery| {
        let NewDelivery { id, lane, event, kind, place, due } = new;
        args![lane.company, *id, lane.webhook, *event, kind.clone(), *place, *due, now].to_vec()
    };
    let rows: Vec<Vec<Arg<'static>>> = deliveries.iter().map(row).collect();
    tx.run_each(sql, &rows).await
}

/// Up to `limit` deliveries of a lane that are due at `now`, each line the longest due first: of what was never tried
/// four go before one of what failed, and eight before one that someone asked for again. What has a place goes in that
/// order, up to the first that is not due; while the very first is not, none is read.
pub async fn due(tx: &Tx, lane: Lane, now: Timestamp, limit: i64) -> Result<Vec<Due>, StoreError> {
    let sql = sql!(
        "with first as (select id, attempts, due_at, first_due_at, event_id, replay_id, place, 1 as line from delivery
                         where company_id = $1 and webhook_id = $2 and state = 'waiting' and place is null
                           and attempts = 0 and replay_id is null and due_at <= $3 order by due_at, id limit $4),
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
              turned as (select *, row_number() over (partition by line order by place, due_at, id) as turn from due)
         select d.id, d.attempts, d.first_due_at, d.replay_id, e.id, e.type, e.created_at, e.sequence, e.payload,
                e.sensitive, d.place, d.due_at
           from turned d join event e on e.company_id = $1 and e.id = d.event_id
          order by d.turn * d.line, d.line limit $4"
    );
    let read = |row: &Row<'_>| {
        let due = Due {
            id: row.id(0)?,
            attempts: row.int(1)?,
            first_due_at: row.time(2)?,
            replay: row.opt_text(3)?.is_some(),
            placed: row.opt_int(10)?.is_some(),
            event: Event {
                id: row.id(4)?,
                kind: row.text(5)?,
                created_at: row.time(6)?,
                sequence: row.int(7)?,
                payload: row.text(8)?,
                sensitive: row.opt_text(9)?,
            },
        };
        Ok((due, row.time(11)?))
    };
    let found = tx.all(sql, args![lane.company, lane.webhook, now, limit], read).await?;
    let mut blocked = false;
    let goes = |(due, due_at): (Due, Timestamp)| {
        blocked |= due.placed && due_at > now;
        (!(due.placed && blocked)).then_some(due)
    };
    let mut due: Vec<_> = found.into_iter().filter_map(goes).collect();
    conceal(tx, lane.company, due.iter_mut().map(|due| &mut due.event)).await?;
    Ok(due)
}

/// Records what attempts led to. A delivery that is no longer waiting (its endpoint was deleted) stays as it is.
pub async fn settle<'s>(
    tx: &Tx,
    settled: impl Iterator<Item = &'s Settled>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let wait = sql!(
        "update delivery set attempts = $3, due_at = $4, first_due_at = $5, status = $6, error = $7
          where company_id = $1 and id = $2 and state = 'waiting'"
    );
    let end = sql!(
        "update delivery set attempts = $3, state = $4, done_at = $5, status = $6, error = $7
          where company_id = $1 and id = $2 and state = 'waiting'"
    );
    let attempt = sql!(
        "insert into attempt (company_id, delivery_id, number, started_at, duration, status, error, response, detail, url,
            signature, shape, address, response_headers)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) on conflict do nothing"
    );
    let (mut waits, mut ends, mut attempts) = (Vec::new(), Vec::new(), Vec::new());
    for Settled { id, lane: Lane { company, .. }, state, attempts: spent, attempt } in settled {
        attempts.push(row_of(*company, *id, attempt));
        let (status, error) = (&attempt.status, &attempt.error);
        let end = |state: &'static str| args![*company, *id, *spent, state, now, *status, *error].to_vec();
        match state {
            State::Waiting(due, first) => {
                waits.push(args![*company, *id, *spent, *due, *first, *status, *error].to_vec());
            }
            State::Delivered => ends.push(end("delivered")),
            State::Failed => ends.push(end("failed")),
        }
    }
    tokio::try_join!(biased; tx.run_each(wait, &waits), tx.run_each(end, &ends), tx.run_each(attempt, &attempts))
        .map(drop)
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
