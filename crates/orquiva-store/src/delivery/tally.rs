//! How deliveries came out, minute by minute: counted in memory by each node, added up here.

use orquiva_core::Timestamp;
use orquiva_core::id::CompanyId;

use crate::sql::sql;
use crate::{Arg, StoreError, Tx, args};

/// What became of the attempts of a company in one minute, or in a longer part of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries that arrived.
    pub delivered: i64,
    /// Attempts that failed and that another one follows.
    pub retried: i64,
    /// Deliveries that were given up.
    pub failed: i64,
    /// What all attempts took together, in milliseconds.
    pub millis: i64,
    /// What the longest one took.
    pub slowest: i64,
}

impl Counts {
    /// How many attempts there were.
    pub fn attempts(&self) -> i64 {
        self.delivered + self.retried + self.failed
    }
}

/// Adds counts to those that are there. The rows have to be in the order of their keys: several nodes add at once.
pub async fn add(tx: &Tx, minutes: &[((CompanyId, Timestamp), Counts)]) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into delivery_minute (company_id, minute, delivered, retried, failed, millis, slowest)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (company_id, minute) do update
            set delivered = delivery_minute.delivered + excluded.delivered,
                retried = delivery_minute.retried + excluded.retried,
                failed = delivery_minute.failed + excluded.failed,
                millis = delivery_minute.millis + excluded.millis,
                slowest = case when delivery_minute.slowest > excluded.slowest
                               then delivery_minute.slowest else excluded.slowest end"
    );
    let row = |((company, minute), counts): &((CompanyId, Timestamp), Counts)| -> Vec<Arg<'static>> {
        let Counts { delivered, retried, failed, millis, slowest } = *counts;
        args![*company, *minute, delivered, retried, failed, millis, slowest].to_vec()
    };
    tx.run_each(sql, &minutes.iter().map(row).collect::<Vec<_>>()).await
}

/// The counts of a company from `from` on, before `to`, in parts of `width` milliseconds, each with its beginning. Parts
/// in which nothing happened are not there.
pub async fn spans(
    tx: &Tx,
    company: CompanyId,
    (from, to): (Timestamp, Timestamp),
    width: i64,
) -> Result<Vec<(Timestamp, Counts)>, StoreError> {
    let sql = sql!(
        "select minute - (minute - $2) % $4 as start, cast(sum(delivered) as bigint), cast(sum(retried) as bigint),
                cast(sum(failed) as bigint), cast(sum(millis) as bigint), max(slowest)
           from delivery_minute where company_id = $1 and minute >= $2 and minute < $3
          group by start order by start"
    );
    tx.all(sql, args![company, from, to, width], |row| {
        let (delivered, retried, failed) = (row.int(1)?, row.int(2)?, row.int(3)?);
        Ok((row.time(0)?, Counts { delivered, retried, failed, millis: row.int(4)?, slowest: row.int(5)? }))
    })
    .await
}

/// Forgets up to `limit` minutes of all companies before `before`; returns how many.
pub async fn forget(tx: &Tx, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    let sql = sql!(
        "delete from delivery_minute where (company_id, minute) in
            (select company_id, minute from delivery_minute where minute < $1 order by minute limit $2)"
    );
    tx.run(sql, args![before, limit]).await
}
