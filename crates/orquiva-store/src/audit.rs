//! The audit: who did what in a company's console, from where, before and after. Entries are only ever added.

pub mod chain;

use orquiva_core::Timestamp;
use orquiva_core::id::{AuditId, CompanyId};

use crate::sql::{Sql, sql};
use crate::{Arg, Row, StoreError, Tx, args};

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

/// An entry, and where it stands in the chain.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The entry.
    pub entry: Entry,
    /// Its place; nothing for the first moments.
    pub place: Option<Place>,
}

/// A place in a company's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The how manieth entry it is: without gaps, from 1 on.
    pub sequence: i64,
    /// The link (`core::chain`) of its line.
    pub hash: Vec<u8>,
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

/// Which entries of a company.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this actor, by id; `system` for what has none.
    pub actor: Option<String>,
    /// This was done.
    pub action: Option<String>,
    /// To this, by id.
    pub target: Option<String>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// Those before this one.
    pub before: Option<AuditId>,
    /// Those after this one, the oldest first.
    pub after: Option<AuditId>,
}

/// An id is made a little before or after the moment of its entry, in milliseconds.
const APART: i64 = 300_000;

/// Up to `limit` entries of a company, the newest first; after one of them, the oldest first.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Placed>, StoreError> {
    let Filter { actor, action, target, from, to, before, after } = filter;
    let mut args: Vec<Arg<'_>> = args![company, limit].to_vec();
    let mut conditions = String::new();
    let mut also = |condition: &str, value: Arg<'static>| {
        args.push(value);
        conditions.push_str(&format!(" and {condition} ${}", args.len()));
    };
    match actor.as_deref() {
        None => {}
        Some("system") => also("actor_id is null and actor_type =", "system".into()),
        Some(actor) => also("actor_id =", actor.to_owned().into()),
    }
    for (column, wanted) in [("action =", action), ("target =", target)] {
        if let Some(wanted) = wanted {
            also(column, wanted.clone().into());
        }
    }
    if let Some(from) = *from {
        also("id >=", AuditId::first_at(from.plus(-APART)).into());
        also("at >=", from.into());
    }
    if let Some(to) = *to {
        also("id <", AuditId::first_at(to.plus(APART)).into());
        also("at <", to.into());
    }
    if let Some(before) = *before {
        also("id <", before.into());
    }
    if let Some(after) = *after {
        also("id >", after.into());
    }
    let order = if after.is_some() { "asc" } else { "desc" };
    let sql = Sql::made(format!(
        "select id, at, actor_type, actor_id, actor_name, address, action, target, before, after, sequence, hash
           from audit_entry where company_id = $1{conditions} order by id {order} limit $2"
    ));
    tx.all(&sql, &args, read_placed).await
}

impl Entry {
    /// The line that stands in the chain: JSON of one form, which the export shows with the hash at its end.
    pub fn line(&self, company: CompanyId, sequence: Option<i64>) -> String {
        let Self { id, at, actor_type, actor_id, actor_name, address, action, target, before, after } = self;
        let json = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
        let mut line = serde_json::json!({
            "companyId": company, "sequence": sequence, "id": id, "at": at,
            "actor": { "type": actor_type, "id": actor_id, "name": actor_name },
            "address": address, "action": action, "target": target,
        })
        .to_string();
        line.pop();
        line.push_str(&format!(r#","before":{},"after":{}}}"#, json(before), json(after)));
        line
    }
}

fn read_placed(row: &Row<'_>) -> Result<Placed, StoreError> {
    let place = match (row.opt_int(10)?, row.opt_bytes(11)?) {
        (Some(sequence), Some(hash)) => Some(Place { sequence, hash }),
        (_, None) | (None, _) => None,
    };
    Ok(Placed { entry: read(row)?, place })
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
