//! The event log of a company: written with the change, given its place by the router.

use orquiva_core::Timestamp;
use orquiva_core::event::NewEvent;
use orquiva_core::id::{CompanyId, EventId};

use crate::sql::{Sql, sql};
use crate::{Arg, Row, StoreError, Tx, args};

/// An event that has its place in the log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What it tells of.
    pub kind: String,
    /// When it happened.
    pub created_at: Timestamp,
    /// Its place in the company's log: from 1, without gaps, in commit order.
    pub sequence: i64,
    /// The rest of its envelope.
    pub payload: String,
}

/// An event that was committed and has no place yet.
#[derive(Clone, Debug)]
pub struct Unrouted {
    /// Its place among all inserts.
    pub position: i64,
    /// Whose it is.
    pub company: CompanyId,
    /// Its id.
    pub id: EventId,
    /// What it tells of.
    pub kind: String,
}

impl Event {
    /// The whole event as one JSON text, the same bytes every time.
    pub fn envelope(&self) -> String {
        orquiva_core::event::envelope(
            &self.id.to_string(),
            &self.kind,
            self.created_at,
            self.sequence,
            &self.payload,
        )
    }
}

/// Writes an event down, in the transaction of the change that it tells of.
pub async fn announce(tx: &Tx, company: CompanyId, event: &NewEvent) -> Result<(), StoreError> {
    tx.run(insertion(), &row_of(company, event)).await.map(drop)
}

/// Writes events down, in their order, without waiting between them.
pub async fn announce_all(tx: &Tx, company: CompanyId, events: &[NewEvent]) -> Result<(), StoreError> {
    let rows: Vec<_> = events.iter().map(|event| row_of(company, event)).collect();
    tx.run_each(insertion(), &rows).await
}

/// Up to `limit` events of all companies that were committed and not yet routed, in the order of their inserts.
pub async fn unrouted(tx: &Tx, limit: i64) -> Result<Vec<Unrouted>, StoreError> {
    let sql = sql!(
        "select position, company_id, id, type from event where sequence is null order by position limit $1"
    );
    let read = |row: &Row<'_>| {
        Ok(Unrouted { position: row.int(0)?, company: row.id(1)?, id: row.id(2)?, kind: row.text(3)? })
    };
    tx.all(sql, args![limit], read).await
}

/// Keeps other nodes from routing until this transaction ends: one of them gives out the places at a time.
pub async fn lock_routing(tx: &Tx) -> Result<(), StoreError> {
    // SQLite has one process and one writer.
    let sql = sql!(
        sqlite "select 1",
        postgres "select 1 from (select pg_advisory_xact_lock(8245931981)) routing"
    );
    tx.all(sql, &[], |_| Ok(())).await.map(drop)
}

/// Reserves `count` places in a company's log; returns the one before the first.
pub async fn reserve(tx: &Tx, company: CompanyId, count: i64) -> Result<i64, StoreError> {
    let sql = sql!(
        "update event_log set last_sequence = last_sequence + $2 where company_id = $1 returning last_sequence"
    );
    let last = tx.first(sql, args![company, count], |row| row.int(0)).await?;
    Ok(last.ok_or(StoreError::NotFound)? - count)
}

/// Gives each of `places` (position, sequence) its place.
pub async fn place(tx: &Tx, company: CompanyId, places: &[(i64, i64)]) -> Result<(), StoreError> {
    let sql = sql!("update event set sequence = $3 where company_id = $1 and position = $2");
    let rows: Vec<_> =
        places.iter().map(|(position, sequence)| args![company, *position, *sequence].to_vec()).collect();
    tx.run_each(sql, &rows).await
}

/// Up to `limit` events of a company after `sequence`, in order.
pub async fn list(tx: &Tx, company: CompanyId, sequence: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
    let sql = sql!(
        "select id, type, created_at, sequence, payload from event
          where company_id = $1 and sequence > $2 order by sequence limit $3"
    );
    tx.all(sql, args![company, sequence, limit], read).await
}

/// One event of a company, once it has its place.
pub async fn get(tx: &Tx, company: CompanyId, id: EventId) -> Result<Event, StoreError> {
    let sql = sql!(
        "select id, type, created_at, sequence, payload from event
          where company_id = $1 and id = $2 and sequence is not null"
    );
    tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)
}

fn insertion() -> &'static Sql {
    sql!(
        "insert into event (company_id, id, type, subject_id, created_at, payload) values ($1, $2, $3, $4, $5, $6)"
    )
}

fn row_of(company: CompanyId, event: &NewEvent) -> Vec<Arg<'_>> {
    let NewEvent { id, kind, subject, at, payload } = event;
    args![company, *id, kind.as_str(), subject, *at, payload].to_vec()
}

fn read(row: &Row<'_>) -> Result<Event, StoreError> {
    Ok(Event {
        id: row.id(0)?,
        kind: row.text(1)?,
        created_at: row.time(2)?,
        sequence: row.int(3)?,
        payload: row.text(4)?,
    })
}
