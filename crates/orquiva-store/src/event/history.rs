//! What happened to one employee.

use orquiva_core::Timestamp;
use orquiva_core::id::{CompanyId, EmployeeId, EventId};

use super::Event;
use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// How long after the moment of a hire the event that tells of it got its id, at most: the time of a large batch.
const BIRTH: i64 = 60_000;

/// Up to `limit` events about an employee before the place `before` (or the newest), the newest first, each with its
/// place among all inserts; but for the one that tells of the hire. Those that have no place in the log yet are among
/// them, with the sequence 0.
pub async fn history(
    tx: &Tx,
    company: CompanyId,
    employee: EmployeeId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<(i64, Event)>, StoreError> {
    let sql = sql!(
        "select id, type, created_at, coalesce(sequence, 0), payload, sensitive, position from event
          where company_id = $1 and subject_id = $2 and type <> 'employee.created' and position < $3
          order by position desc limit $4"
    );
    let before = before.unwrap_or(i64::MAX);
    let read = |row: &Row<'_>| Ok((row.int(6)?, super::read(row)?));
    tx.all(sql, args![company, employee, before, limit], read).await
}

/// The event that tells of the hire of an employee, if it is still kept. Its id was made after the employee's own.
pub async fn birth(
    tx: &Tx,
    company: CompanyId,
    employee: EmployeeId,
    hired_at: Timestamp,
) -> Result<Option<Event>, StoreError> {
    let sql = sql!(
        "select id, type, created_at, coalesce(sequence, 0), payload, sensitive from event
          where company_id = $1 and id > $2 and id < $3 and subject_id = $4 and type = 'employee.created'
          order by id limit 1"
    );
    let (first, last) = (EventId::twin_of(employee), EventId::first_at(hired_at.plus(BIRTH)));
    tx.first(sql, args![company, first, last, employee], super::read).await
}
