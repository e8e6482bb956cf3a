//! The end of events that have had their time.

use orquiva_core::id::CompanyId;
use orquiva_core::{Plan, Timestamp};

use super::{lock_routing, log};
use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// A company whose oldest event may have to go.
#[derive(Clone, Copy, Debug)]
pub struct Oldest {
    /// Which company.
    pub company: CompanyId,
    /// What it pays for.
    pub plan: Plan,
    /// When its oldest event happened.
    pub created_at: Timestamp,
}

/// Up to `limit` companies after `after` whose oldest event happened before `before`.
pub async fn oldest(
    tx: &Tx,
    after: Option<CompanyId>,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Oldest>, StoreError> {
    let sql = sql!(
        "select l.company_id, c.plan, e.created_at
           from event_log l join company c on c.id = l.company_id
                join event e on e.company_id = l.company_id and e.sequence = l.expired_sequence + 1
          where l.company_id > $1 and e.created_at < $2 order by l.company_id limit $3"
    );
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    tx.all(sql, args![after, before, limit], |row| {
        let plan = row.text(1)?;
        Ok(Oldest {
            company: row.id(0)?,
            plan: Plan::parse(&plan).ok_or_else(|| StoreError::broken(format!("`{plan}` is no plan")))?,
            created_at: row.time(2)?,
        })
    })
    .await
}

/// Removes up to `limit` of a company's oldest events that happened before `before`, with their deliveries, and
/// returns how many. It ends before the first one that still waits to be delivered, or that a paused endpoint let expire
/// after `shown`: such a delivery can be seen, and asked for again, a while longer. Nobody routes meanwhile.
pub async fn expire(
    tx: &Tx,
    company: CompanyId,
    before: Timestamp,
    shown: Timestamp,
    limit: i64,
) -> Result<i64, StoreError> {
    lock_routing(tx).await?;
    let log = log(tx, company).await?;
    let oldest = sql!(
        sqlite
        "select e.created_at, (select count(*) from delivery d indexed by delivery_event
                                where d.company_id = $1 and d.event_id = e.id and (d.state = 'waiting'
                                   or (d.state = 'failed' and d.error = 'expired' and d.done_at >= $4)))
           from event e where e.company_id = $1 and e.sequence > $2 order by e.sequence limit $3",
        postgres
        "select e.created_at, (select count(*) from delivery d
                                where d.company_id = $1 and d.event_id = e.id and (d.state = 'waiting'
                                   or (d.state = 'failed' and d.error = 'expired' and d.done_at >= $4)))
           from event e where e.company_id = $1 and e.sequence > $2 order by e.sequence limit $3"
    );
    let read = |row: &Row<'_>| Ok((row.time(0)?, row.int(1)?));
    let oldest = tx.all(oldest, args![company, log.expired, limit, shown], read).await?;
    let gone = oldest.iter().take_while(|(at, held)| *at < before && *held == 0).count() as i64;
    if gone == 0 {
        return Ok(0);
    }
    let through = args![company, log.expired + gone];
    let attempts = sql!(
        "delete from attempt where company_id = $1 and delivery_id in
            (select d.id from event e join delivery d on d.company_id = $1 and d.event_id = e.id
              where e.company_id = $1 and e.sequence <= $2)"
    );
    tx.run(attempts, through).await?;
    let deliveries = sql!(
        sqlite
        "delete from delivery indexed by delivery_event where company_id = $1 and state <> 'waiting' and event_id in
            (select id from event where company_id = $1 and sequence <= $2)",
        postgres
        "delete from delivery where company_id = $1 and state <> 'waiting' and event_id in
            (select id from event where company_id = $1 and sequence <= $2)"
    );
    tx.run(deliveries, through).await?;
    let left = sql!(
        "select count(*) from event e join delivery d on d.company_id = $1 and d.event_id = e.id
          where e.company_id = $1 and e.sequence <= $2"
    );
    if tx.first(left, through, |row| row.int(0)).await? != Some(0) {
        // Someone asked for one of them again at this very moment: it keeps its event, until the next time.
        return Err(StoreError::Unavailable("an old delivery was taken up again".to_owned()));
    }
    tx.run(sql!("delete from event where company_id = $1 and sequence <= $2"), through).await?;
    let log = sql!("update event_log set expired_sequence = $2 where company_id = $1");
    tx.run(log, through).await?;
    Ok(gone)
}
