//! The chain of a company's audit: committed entries are given their places in it one after the other.

use orquiva_core::id::{AuditId, CompanyId};

use super::{Entry, Place, Placed, read, read_placed};
use crate::sql::sql;
use crate::{Arg, Row, StoreError, Tx, args, event};

/// Where a chain ends.
#[derive(Clone, Debug)]
pub struct End {
    /// Its last place.
    pub place: Place,
    /// What only the holder of the master key can make of it.
    pub tag: Vec<u8>,
}

/// Keeps other nodes from giving out places until this transaction ends. It is the router's lock: two locks, taken by
/// transactions that do both in one order or the other, would let nodes wait for each other.
pub async fn lock(tx: &Tx) -> Result<(), StoreError> {
    event::lock_routing(tx).await
}

/// Whether any entry of any company waits for its place.
pub async fn is_waited_for(tx: &Tx) -> Result<bool, StoreError> {
    let sql = sql!("select id from audit_entry where sequence is null order by id limit 1");
    Ok(tx.first(sql, &[], |row| row.text(0)).await?.is_some())
}

/// Up to `limit` entries of all companies that have no place yet, the oldest first.
pub async fn waiting(tx: &Tx, limit: i64) -> Result<Vec<(CompanyId, Entry)>, StoreError> {
    let sql = sql!(
        "select id, at, actor_type, actor_id, actor_name, address, action, target, before, after, company_id
           from audit_entry where sequence is null order by id limit $1"
    );
    tx.all(sql, args![limit], |row| Ok((row.id(10)?, read(row)?))).await
}

/// Where the chain of a company ends, if it has begun.
pub async fn end(tx: &Tx, company: CompanyId) -> Result<Option<End>, StoreError> {
    let sql = sql!("select sequence, hash, tag from audit_log where company_id = $1");
    let read = |row: &Row<'_>| {
        Ok(End { place: Place { sequence: row.int(0)?, hash: row.bytes(1)? }, tag: row.bytes(2)? })
    };
    tx.first(sql, args![company], read).await
}

/// Gives entries of a company their places, up to its new end.
pub async fn place(
    tx: &Tx,
    company: CompanyId,
    places: &[(AuditId, Place)],
    end: &End,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update audit_entry set sequence = $3, hash = $4 where company_id = $1 and id = $2 and sequence is null"
    );
    let row = |(id, place): &(AuditId, Place)| -> Vec<Arg<'static>> {
        vec![company.into(), (*id).into(), place.sequence.into(), Arg::Bytes(place.hash.clone().into())]
    };
    tx.run_each(sql, &places.iter().map(row).collect::<Vec<_>>()).await?;
    let log = sql!(
        "insert into audit_log (company_id, sequence, hash, tag) values ($1, $2, $3, $4)
         on conflict (company_id) do update
            set sequence = excluded.sequence, hash = excluded.hash, tag = excluded.tag"
    );
    let End { place, tag } = end;
    tx.run(log, args![company, place.sequence, &place.hash, tag]).await.map(drop)
}

/// Up to `limit` entries of a company after the place `after`, in the order of the chain.
pub async fn walk(tx: &Tx, company: CompanyId, after: i64, limit: i64) -> Result<Vec<Placed>, StoreError> {
    let sql = sql!(
        "select id, at, actor_type, actor_id, actor_name, address, action, target, before, after, sequence, hash
           from audit_entry where company_id = $1 and sequence > $2 order by sequence limit $3"
    );
    tx.all(sql, args![company, after, limit], read_placed).await
}
