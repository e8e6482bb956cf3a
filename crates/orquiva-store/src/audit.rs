//! The audit: who did what in a company's console, from where, before and after. Entries are only ever added.

use orquiva_core::Timestamp;
use orquiva_core::id::{AuditId, CompanyId};

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// `user`, `client` or `system`.
    pub actor_type: &'static str,
    /// Who, by id.
    pub actor_id: Option<String>,
    /// Who, as they were called at the time.
    pub actor_name: String,
    /// From where, if that is known.
    pub address: Option<String>,
    /// What was done: `client.created`.
    pub action: String,
    /// To what, by id.
    pub target: String,
    /// What was there, as JSON without secrets.
    pub before: Option<String>,
    /// What is there now, as JSON without secrets.
    pub after: Option<String>,
}

/// Adds an entry, in the transaction that does what it tells.
pub async fn add(tx: &Tx, company: CompanyId, entry: &Entry) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into audit_entry (company_id, id, at, actor_type, actor_id, actor_name, address, action, target, before, after)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    );
    let Entry { id, at, actor_type, actor_id, actor_name, address, action, target, before, after } = entry;
    let args =
        args![company, *id, *at, *actor_type, actor_id, actor_name, address, action, target, before, after];
    tx.run(sql, args).await.map(drop)
}

/// Up to `limit` entries of a company before `before`, the newest first.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    before: Option<AuditId>,
    limit: i64,
) -> Result<Vec<Entry>, StoreError> {
    let sql = sql!(
        "select id, at, actor_type, actor_id, actor_name, address, action, target, before, after from audit_entry
          where company_id = $1 and id < $2 order by id desc limit $3"
    );
    // Every id of an entry sorts before this, however texts are sorted.
    let before = before.map_or("aue".to_owned(), |id| id.to_string());
    tx.all(sql, args![company, before, limit], read).await
}

fn read(row: &Row<'_>) -> Result<Entry, StoreError> {
    let actor_type = match row.text(2)?.as_str() {
        "user" => "user",
        "client" => "client",
        _ => "system",
    };
    Ok(Entry {
        id: row.id(0)?,
        at: row.time(1)?,
        actor_type,
        actor_id: row.opt_text(3)?,
        actor_name: row.text(4)?,
        address: row.opt_text(5)?,
        action: row.text(6)?,
        target: row.text(7)?,
        before: row.opt_text(8)?,
        after: row.opt_text(9)?,
    })
}
