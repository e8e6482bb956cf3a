//! Webhook endpoints. Their secrets are sealed; opening them is the caller's affair.

use orquiva_core::id::{CompanyId, WebhookId};
use orquiva_core::webhook::Webhook;

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// Creates an endpoint and its lane.
pub async fn create(tx: &Tx, company: CompanyId, webhook: &Webhook, sealed: &[u8]) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into webhook (company_id, id, url, events, description, max_concurrency, secret, status, created_at,
            sensitive)
         values ($1, $2, $3, $4, $5, $6, $7, 'enabled', $8, $9)"
    );
    let Webhook { id, url, events, description, max_concurrency, created_at, .. } = webhook;
    let events = serde_json::to_string(events).map_err(StoreError::broken)?;
    let sensitive = i64::from(webhook.sensitive);
    let args =
        args![company, *id, url, events, description, *max_concurrency, sealed, *created_at, sensitive];
    tx.run(sql, args).await?;
    let lane = sql!("insert into lane (company_id, webhook_id, paused_until) values ($1, $2, 0)");
    tx.run(lane, args![company, *id]).await.map(drop)
}

/// How many endpoints a company has.
pub async fn count(tx: &Tx, company: CompanyId) -> Result<i64, StoreError> {
    let sql = sql!("select count(*) from webhook where company_id = $1");
    tx.first(sql, args![company], |row| row.int(0)).await.map(Option::unwrap_or_default)
}

/// One endpoint.
pub async fn get(tx: &Tx, company: CompanyId, id: WebhookId) -> Result<Webhook, StoreError> {
    let sql = sql!(
        "select id, url, events, description, max_concurrency, status, disabled_reason, created_at, sensitive
           from webhook where company_id = $1 and id = $2"
    );
    tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)
}

/// Up to `limit` endpoints of a company, the oldest first, after `after`.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    after: Option<WebhookId>,
    limit: i64,
) -> Result<Vec<Webhook>, StoreError> {
    let sql = sql!(
        "select id, url, events, description, max_concurrency, status, disabled_reason, created_at, sensitive
           from webhook where company_id = $1 and id > $2 order by id limit $3"
    );
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    tx.all(sql, args![company, after, limit], read).await
}

/// The sealed secret of an endpoint.
pub async fn secret(tx: &Tx, company: CompanyId, id: WebhookId) -> Result<Vec<u8>, StoreError> {
    let sql = sql!("select secret from webhook where company_id = $1 and id = $2");
    tx.first(sql, args![company, id], |row| row.bytes(0)).await?.ok_or(StoreError::NotFound)
}

/// The endpoints of a company that take deliveries, with what they are subscribed to. They stay as they are
/// until the transaction ends, so that none is removed while something is put into its lane.
pub async fn subscriptions(tx: &Tx, company: CompanyId) -> Result<Vec<(WebhookId, String)>, StoreError> {
    let sql = sql!(
        sqlite "select id, events from webhook where company_id = $1 and status = 'enabled' order by id",
        postgres "select id, events from webhook where company_id = $1 and status = 'enabled' order by id for share"
    );
    tx.all(sql, args![company], |row| Ok((row.id(0)?, row.text(1)?))).await
}

/// Disables an endpoint; whether it was enabled before.
pub async fn disable(tx: &Tx, company: CompanyId, id: WebhookId, reason: &str) -> Result<bool, StoreError> {
    let sql = sql!(
        "update webhook set status = 'disabled', disabled_reason = $3
          where company_id = $1 and id = $2 and status = 'enabled'"
    );
    Ok(tx.run(sql, args![company, id, reason]).await? > 0)
}

/// Removes an endpoint and its lane. Its deliveries stay in the log; those that waited are cancelled by the caller.
pub async fn delete(tx: &Tx, company: CompanyId, id: WebhookId) -> Result<(), StoreError> {
    tx.run(sql!("delete from lane where company_id = $1 and webhook_id = $2"), args![company, id]).await?;
    let sql = sql!("delete from webhook where company_id = $1 and id = $2");
    match tx.run(sql, args![company, id]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

fn read(row: &Row<'_>) -> Result<Webhook, StoreError> {
    let status = row.text(5)?;
    Ok(Webhook {
        id: row.id(0)?,
        url: row.text(1)?,
        events: serde_json::from_str(&row.text(2)?).map_err(StoreError::broken)?,
        description: row.opt_text(3)?,
        max_concurrency: row.int(4)?,
        status: if status == "enabled" { "enabled" } else { "disabled" },
        disabled_reason: row.opt_text(6)?,
        created_at: row.time(7)?,
        sensitive: row.int(8)? != 0,
    })
}
