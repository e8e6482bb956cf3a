//! Notices: what a company's administrators have to know.

use orquiva_core::Timestamp;
use orquiva_core::id::{CompanyId, NoticeId, WebhookId};
use serde::Serialize;
use serde_json::Value;

use crate::lane::Lane;
use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// A notice, as the API shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// Of what: the type of the event that tells the same, if one does.
    pub kind: String,
    /// Which endpoint it is about.
    #[serde(rename = "webhookId")]
    pub webhook: WebhookId,
    /// What there is to know.
    pub data: Value,
    /// Since when.
    pub created_at: Timestamp,
    /// When somebody took note of it.
    pub read_at: Option<Timestamp>,
}

/// Puts up a notice.
pub async fn create(tx: &Tx, company: CompanyId, notice: &Notice) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into notice (company_id, id, kind, webhook_id, data, created_at, read_at)
         values ($1, $2, $3, $4, $5, $6, $7)"
    );
    let Notice { id, kind, webhook, data, created_at, read_at } = notice;
    tx.run(sql, args![company, *id, kind, *webhook, data.to_string(), *created_at, *read_at]).await.map(drop)
}

/// Whether there is a notice of this kind about an endpoint, from `since` or later.
pub async fn is_there(tx: &Tx, lane: Lane, kind: &str, since: Timestamp) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id from notice where company_id = $1 and id >= $2 and webhook_id = $3 and kind = $4 limit 1"
    );
    let args = args![lane.company, NoticeId::first_at(since), lane.webhook, kind];
    Ok(tx.first(sql, args, |_| Ok(())).await?.is_some())
}

/// One notice.
pub async fn get(tx: &Tx, company: CompanyId, id: NoticeId) -> Result<Notice, StoreError> {
    let sql = sql!(
        "select id, kind, webhook_id, data, created_at, read_at from notice where company_id = $1 and id = $2"
    );
    tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)
}

/// Up to `limit` notices of a company, the newest first, before `before`; only those that nobody read if `unread`.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    unread: bool,
    before: Option<NoticeId>,
    limit: i64,
) -> Result<Vec<Notice>, StoreError> {
    let all = sql!(
        "select id, kind, webhook_id, data, created_at, read_at from notice
          where company_id = $1 and id < $2 order by id desc limit $3"
    );
    let new = sql!(
        "select id, kind, webhook_id, data, created_at, read_at from notice
          where company_id = $1 and id < $2 and read_at is null order by id desc limit $3"
    );
    // Every id of a notice sorts before this, however texts are sorted.
    let before = before.map_or("ntd".to_owned(), |id| id.to_string());
    tx.all(if unread { new } else { all }, args![company, before, limit], read).await
}

/// Takes note of a notice at `now`; the first time counts.
pub async fn mark_read(tx: &Tx, company: CompanyId, id: NoticeId, now: Timestamp) -> Result<(), StoreError> {
    let sql = sql!("update notice set read_at = coalesce(read_at, $3) where company_id = $1 and id = $2");
    match tx.run(sql, args![company, id, now]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

fn read(row: &Row<'_>) -> Result<Notice, StoreError> {
    Ok(Notice {
        id: row.id(0)?,
        kind: row.text(1)?,
        webhook: row.id(2)?,
        data: serde_json::from_str(&row.text(3)?).map_err(StoreError::broken)?,
        created_at: row.time(4)?,
        read_at: row.opt_time(5)?,
    })
}
