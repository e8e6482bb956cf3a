//! Lanes: one endpoint's queue. A worker leases a lane, not its rows, and what it writes is fenced by the lease.

use std::collections::HashMap;

use orquiva_core::id::{CompanyId, LeaseId, WebhookId};
use orquiva_core::webhook::breaker::{Breaker, Stored};
use orquiva_core::webhook::bucket::Bucket;
use orquiva_core::webhook::pace::Pace;
use orquiva_core::{Plan, Timestamp};

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// When a pause without end ends: the last second of the year 9999.
const FOREVER: Timestamp = Timestamp::from_millis(253_402_300_799_000);

/// Whose queue it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// Whose endpoint it is.
    pub company: CompanyId,
    /// The endpoint.
    pub webhook: WebhookId,
}

impl Lane {
    /// The place for which the endpoint's secret is sealed.
    pub fn secret_place(self) -> String {
        format!("webhook/{}/{}", self.company, self.webhook)
    }

    /// The place for which the seed of its Ed25519 key is sealed.
    pub fn signing_key_place(self) -> String {
        format!("webhook/{}/{}/ed25519", self.company, self.webhook)
    }
}

/// A lane that was claimed.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Which.
    pub lane: Lane,
    /// What its company pays for.
    pub plan: Plan,
    /// What is remembered of its endpoint.
    pub known: Known,
}

/// What is remembered of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// How it fares.
    pub pace: Pace,
    /// How often someone else than who holds its lane has changed that.
    pub changes: i64,
}

/// Says that something waits in these lanes from now on. A lane that is leased or paused keeps its time: whoever
/// holds it looks again before giving it back. Every row is locked all the same, in the order of all, so that a lane
/// which is being given back at this moment sees what was put into it.
pub async fn mark_due(tx: &Tx, lanes: &[Lane], now: Timestamp) -> Result<(), StoreError> {
    let sql = sql!(
        sqlite
        "update lane set due_at = max(paused_until, $3)
          where company_id = $1 and webhook_id = $2 and lease_id is null",
        postgres
        "with locked as
             (select lane.company_id, lane.webhook_id, lane.lease_id, greatest(lane.paused_until, each.now) as due_at
                from unnest($1::text[], $2::text[], $3::bigint[]) as each (company_id, webhook_id, now)
                     join lane on lane.company_id = each.company_id and lane.webhook_id = each.webhook_id
               order by lane.company_id, lane.webhook_id for update of lane)
         update lane set due_at = locked.due_at from locked
          where lane.company_id = locked.company_id and lane.webhook_id = locked.webhook_id
            and locked.lease_id is null"
    );
    let rows: Vec<_> = lanes.iter().map(|lane| args![lane.company, lane.webhook, now].to_vec()).collect();
    tx.run_all(sql, &rows).await
}

/// Keeps everyone else from putting something into a lane until this transaction ends; false if the lane is gone.
pub async fn lock(tx: &Tx, lane: Lane) -> Result<bool, StoreError> {
    let sql = sql!(
        sqlite "select 1 from lane where company_id = $1 and webhook_id = $2",
        postgres "select 1::bigint from lane where company_id = $1 and webhook_id = $2 for update"
    );
    Ok(tx.first(sql, args![lane.company, lane.webhook], |row| row.int(0)).await?.is_some())
}

/// Ends the pause of a lane: someone wants something sent now.
pub async fn unpause(tx: &Tx, lane: Lane) -> Result<(), StoreError> {
    let sql = sql!(
        "update lane set paused_until = 0, changes = changes + 1 where company_id = $1 and webhook_id = $2"
    );
    tx.run(sql, args![lane.company, lane.webhook]).await.map(drop)
}

/// Leases up to `limit` lanes of all companies that are due, for a server that may have a name. A worker that dies keeps them until `until`, then
/// anyone may take them: delivery is at least once, never lost.
pub async fn claim(
    tx: &Tx,
    lease: LeaseId,
    holder: Option<&str>,
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<Claimed>, StoreError> {
    let sql = sql!(
        sqlite
        "update lane set due_at = $2, lease_id = $3, holder = $5
          where (company_id, webhook_id) in
             (select company_id, webhook_id from lane where due_at <= $1 order by due_at limit $4)
         returning company_id, webhook_id, (select plan from company where company.id = lane.company_id),
             paused_until, failing_since, warned, next_at, failures, failed, outcomes, trips, slow_start, changes",
        postgres
        "with due as
             (select company_id, webhook_id from lane where due_at <= $1 order by due_at limit $4
                 for update skip locked)
         update lane set due_at = $2, lease_id = $3, holder = $5 from due
          where lane.company_id = due.company_id and lane.webhook_id = due.webhook_id
         returning lane.company_id, lane.webhook_id, (select plan from company where company.id = lane.company_id),
             paused_until, failing_since, warned, next_at, failures, failed, outcomes, trips, slow_start, changes"
    );
    let read = |row: &Row<'_>| {
        let plan = row.text(2)?;
        let plan = Plan::parse(&plan).ok_or_else(|| StoreError::broken("a company has no known plan"))?;
        let lane = Lane { company: row.id(0)?, webhook: row.id(1)? };
        Ok(Claimed { lane, plan, known: read_known(row, 3)? })
    };
    tx.all(sql, args![now, until, lease, limit, holder], read).await
}

/// What is remembered of an endpoint, by whoever works its lane or by others.
pub async fn known(tx: &Tx, lane: Lane) -> Result<Known, StoreError> {
    let sql = sql!(
        "select paused_until, failing_since, warned, next_at, failures, failed, outcomes, trips, slow_start, changes
           from lane where company_id = $1 and webhook_id = $2"
    );
    let known = tx.first(sql, args![lane.company, lane.webhook], |row| read_known(row, 0)).await?;
    known.ok_or(StoreError::NotFound)
}

/// What is remembered, from its ten columns, the first of which is `at`.
fn read_known(row: &Row<'_>, at: usize) -> Result<Known, StoreError> {
    let breaker = Stored {
        failures: row.int(at + 4)?,
        failed: row.opt_text(at + 5)?,
        outcomes: row.int(at + 6)?,
        trips: row.int(at + 7)?,
        slow_start: row.opt_int(at + 8)?,
    };
    let pace = Pace {
        breaker: Breaker::stored(&breaker),
        bucket: Bucket::stored(row.int(at + 3)?),
        paused_until: row.time(at)?,
        probe_at: Timestamp::default(),
        failing_since: row.opt_time(at + 1)?,
        warned: usize::try_from(row.int(at + 2)?).unwrap_or_default(),
    };
    Ok(Known { pace, changes: row.int(at + 9)? })
}

/// Prolongs the lease of a lane; whether it is still held. A lease that was taken over is not given back.
pub async fn hold(tx: &Tx, lane: Lane, lease: LeaseId, until: Timestamp) -> Result<bool, StoreError> {
    let sql = sql!("update lane set due_at = $4 where company_id = $1 and webhook_id = $2 and lease_id = $3");
    Ok(tx.run(sql, args![lane.company, lane.webhook, lease, until]).await? > 0)
}

/// Which of these lanes are held by these leases, and how often someone else has changed what is remembered of each. They
/// stay so until the transaction ends; they are locked in the order of all.
pub async fn held(tx: &Tx, leases: &[(Lane, LeaseId)]) -> Result<HashMap<(Lane, LeaseId), i64>, StoreError> {
    let sql = sql!(
        sqlite
        "select company_id, webhook_id, lease_id, changes from lane
          where company_id = $1 and webhook_id = $2 and lease_id = $3",
        postgres
        "select lane.company_id, lane.webhook_id, lane.lease_id, lane.changes
           from unnest($1::text[], $2::text[], $3::text[]) as each (company_id, webhook_id, lease_id)
                join lane on lane.company_id = each.company_id and lane.webhook_id = each.webhook_id
                         and lane.lease_id = each.lease_id
          order by lane.company_id, lane.webhook_id for update of lane"
    );
    let rows: Vec<_> =
        leases.iter().map(|(lane, lease)| args![lane.company, lane.webhook, *lease].to_vec()).collect();
    let read = |row: &Row<'_>| {
        let lane = Lane { company: row.id(0)?, webhook: row.id(1)? };
        Ok(((lane, row.id(2)?), row.int(3)?))
    };
    Ok(tx.for_all(sql, &rows, read).await?.into_iter().collect())
}

/// What is remembered of the endpoint of a lane.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'p> {
    /// Which lane.
    pub lane: Lane,
    /// How its endpoint did.
    pub pace: &'p Pace,
    /// When it last took something, if it did since the last time.
    pub success: Option<Timestamp>,
}

/// Prolongs the leases of lanes that this transaction found [`held`], and stores what is remembered of their endpoints,
/// over what stood there.
pub async fn keep(tx: &Tx, kept: &[Kept<'_>], until: Timestamp) -> Result<(), StoreError> {
    let sql = sql!(
        sqlite
        "update lane set due_at = $3, paused_until = $4, failing_since = $5, warned = $6, next_at = $7,
            failures = $8, failed = $9, outcomes = $10, trips = $11, slow_start = $12,
            last_success_at = coalesce($13, last_success_at)
          where company_id = $1 and webhook_id = $2",
        postgres
        "update lane set due_at = each.due_at, paused_until = each.paused_until,
            failing_since = each.failing_since, warned = each.warned, next_at = each.next_at, failures = each.failures,
            failed = each.failed, outcomes = each.outcomes, trips = each.trips, slow_start = each.slow_start,
            last_success_at = coalesce(each.success, lane.last_success_at)
           from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                       $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
             as each (company_id, webhook_id, due_at, paused_until, failing_since, warned, next_at, failures, failed,
                      outcomes, trips, slow_start, success)
          where lane.company_id = each.company_id and lane.webhook_id = each.webhook_id"
    );
    let row = |kept: &Kept<'_>| {
        let Kept { lane, pace, success } = *kept;
        let Stored { failures, failed, outcomes, trips, slow_start } = pace.breaker.to_stored();
        let mut args =
            args![lane.company, lane.webhook, until, pace.rests_until(), pace.failing_since].to_vec();
        args.extend_from_slice(args![
            pace.warned as i64,
            pace.bucket.to_stored(),
            failures,
            failed,
            outcomes
        ]);
        args.extend_from_slice(args![trips, slow_start, success]);
        args
    };
    tx.run_all(sql, &kept.iter().map(row).collect::<Vec<_>>()).await
}

/// Gives a lane back: due again when its next delivery is, its pause is over and `not_before` is reached; or idle.
pub async fn release(tx: &Tx, lane: Lane, lease: LeaseId, not_before: Timestamp) -> Result<(), StoreError> {
    // Two statements: the second sees what was committed while the first waited for the row.
    let free = sql!(
        "update lane set lease_id = null, due_at = null where company_id = $1 and webhook_id = $2 and lease_id = $3"
    );
    if tx.run(free, args![lane.company, lane.webhook, lease]).await? == 0 {
        return Ok(());
    }
    let due = sql!(
        "with first as (select min(due_at) as due_at from delivery where company_id = $1 and webhook_id = $2
                           and state = 'waiting' and place is null and attempts = 0 and replay_id is null),
              replayed as (select min(due_at) as due_at from delivery where company_id = $1 and webhook_id = $2
                           and state = 'waiting' and place is null and attempts = 0 and replay_id is not null),
              again as (select min(due_at) as due_at from delivery where company_id = $1 and webhook_id = $2
                           and state = 'waiting' and place is null and attempts > 0),
              head as (select due_at from delivery where company_id = $1 and webhook_id = $2
                           and state = 'waiting' and place is not null order by place limit 1),
              next as (select due_at from first union all select due_at from replayed
                       union all select due_at from again union all select due_at from head),
              bound as (select min(due_at) as due_at from next)
         update lane set due_at = (select case when due_at is null then null
                                               when paused_until >= due_at and paused_until >= $3 then paused_until
                                               when $3 > due_at then $3 else due_at end from bound)
          where company_id = $1 and webhook_id = $2"
    );
    // In the subquery `due_at` is that of `bound`, `paused_until` the lane's.
    tx.run(due, args![lane.company, lane.webhook, not_before]).await.map(drop)
}

/// Ends every lease of all companies at once, for when whoever held them is surely gone.
pub async fn take_back(tx: &Tx, now: Timestamp) -> Result<(), StoreError> {
    let sql = sql!("update lane set lease_id = null, due_at = $1 where lease_id is not null");
    tx.run(sql, args![now]).await.map(drop)
}

/// Ends every lease of the server of this name, of all companies.
pub async fn take_back_of(tx: &Tx, holder: &str, now: Timestamp) -> Result<(), StoreError> {
    let sql = sql!("update lane set lease_id = null, due_at = $2 where lease_id is not null and holder = $1");
    tx.run(sql, args![holder, now]).await.map(drop)
}

/// Pauses a lane until someone says otherwise: what is put into it waits.
pub async fn halt(tx: &Tx, lane: Lane) -> Result<(), StoreError> {
    let sql = sql!(
        "update lane set paused_until = $3, due_at = case when lease_id is null then null else due_at end,
            changes = changes + 1
          where company_id = $1 and webhook_id = $2"
    );
    tx.run(sql, args![lane.company, lane.webhook, FOREVER]).await.map(drop)
}

/// Leaves the lane of an endpoint that is gone to a worker, who ends what waits in it and removes it.
pub async fn leave(tx: &Tx, lane: Lane, now: Timestamp) -> Result<(), StoreError> {
    let sql = sql!(
        "update lane set paused_until = 0, changes = changes + 1,
            due_at = case when lease_id is null then $3 else due_at end
          where company_id = $1 and webhook_id = $2"
    );
    tx.run(sql, args![lane.company, lane.webhook, now]).await.map(drop)
}

/// Removes a lane.
pub async fn delete(tx: &Tx, lane: Lane) -> Result<(), StoreError> {
    let sql = sql!("delete from lane where company_id = $1 and webhook_id = $2");
    tx.run(sql, args![lane.company, lane.webhook]).await.map(drop)
}

/// Lets a lane go on, as if its endpoint had never failed.
pub async fn resume(tx: &Tx, lane: Lane, now: Timestamp) -> Result<(), StoreError> {
    let sql = sql!(
        "update lane set paused_until = 0, failing_since = null, failures = 0, failed = null, outcomes = 0,
            trips = 0, slow_start = null, next_at = 0, warned = 0, changes = changes + 1,
            due_at = case when lease_id is null then $3 else due_at end
          where company_id = $1 and webhook_id = $2"
    );
    tx.run(sql, args![lane.company, lane.webhook, now]).await.map(drop)
}

/// How a lane stands.
#[derive(Clone, Copy, Debug)]
pub struct Stand {
    /// When it is worked at next, or until when it is leased.
    pub due_at: Option<Timestamp>,
    /// Whether a worker has it.
    pub is_leased: bool,
    /// Until when nothing is sent.
    pub paused_until: Timestamp,
    /// How often its breaker has opened since its endpoint last took something.
    pub trips: i64,
    /// Since when its endpoint has taken nothing.
    pub failing_since: Option<Timestamp>,
    /// When its endpoint last took something.
    pub last_success_at: Option<Timestamp>,
}

/// How a lane stands.
pub async fn stand(tx: &Tx, lane: Lane) -> Result<Stand, StoreError> {
    let sql = sql!(
        "select due_at, lease_id, paused_until, trips, failing_since, last_success_at from lane
          where company_id = $1 and webhook_id = $2"
    );
    tx.first(sql, args![lane.company, lane.webhook], |row| {
        Ok(Stand {
            due_at: row.opt_time(0)?,
            is_leased: row.opt_text(1)?.is_some(),
            paused_until: row.time(2)?,
            trips: row.int(3)?,
            failing_since: row.opt_time(4)?,
            last_success_at: row.opt_time(5)?,
        })
    })
    .await?
    .ok_or(StoreError::NotFound)
}

/// When the next lane of all companies can be claimed.
pub async fn next_due(tx: &Tx) -> Result<Option<Timestamp>, StoreError> {
    let sql = sql!("select min(due_at) from lane where due_at is not null");
    tx.first(sql, &[], |row| row.opt_time(0)).await.map(Option::flatten)
}
