//! Answers kept for 24 hours, so that a repeated write gets the first one's answer.

use orquiva_core::Timestamp;
use orquiva_core::id::CompanyId;

use crate::sql::sql;
use crate::{StoreError, Tx, args};

/// How long an answer is kept, in milliseconds.
pub const KEPT: i64 = 24 * 3_600_000;

/// An answer as it was given, its body sealed: it may tell a secret.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Location`, where there was one.
    pub location: Option<String>,
    /// `ETag`, where there was one.
    pub etag: Option<String>,
    /// The body, sealed.
    pub body: Vec<u8>,
}

/// An idempotency key. It belongs to its caller.
#[derive(Clone, Debug)]
pub struct Key {
    /// In which company.
    pub company: CompanyId,
    /// Whose: the id of a client, or of someone in the console.
    pub caller: String,
    /// As it was sent.
    pub text: String,
}

/// The answer that was given under this key since `since`, and the fingerprint of the request that it was given to.
pub async fn find(tx: &Tx, key: &Key, since: Timestamp) -> Result<Option<(Vec<u8>, Answer)>, StoreError> {
    let sql = sql!(
        "select fingerprint, status, location, etag, body from idempotency
          where company_id = $1 and client_id = $2 and key = $3 and created_at > $4"
    );
    tx.first(sql, args![key.company, &key.caller, &key.text, since], |row| {
        let status = u16::try_from(row.int(1)?).map_err(StoreError::broken)?;
        Ok((
            row.bytes(0)?,
            Answer { status, location: row.opt_text(2)?, etag: row.opt_text(3)?, body: row.bytes(4)? },
        ))
    })
    .await
}

/// Keeps an answer, in the transaction that did what it tells. An expired one under the same key gives way; one that
/// another node gave meanwhile does not, and undoes this transaction: of two at once, one is carried out.
pub async fn keep(
    tx: &Tx,
    key: &Key,
    fingerprint: &[u8],
    answer: &Answer,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into idempotency (company_id, client_id, key, fingerprint, status, location, etag, body, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (company_id, client_id, key) do update
            set fingerprint = excluded.fingerprint, status = excluded.status, location = excluded.location,
                etag = excluded.etag, body = excluded.body, created_at = excluded.created_at
          where idempotency.created_at <= $10"
    );
    let Answer { status, location, etag, body } = answer;
    let expired = now.plus(-KEPT);
    let args = args![
        key.company,
        &key.caller,
        &key.text,
        fingerprint,
        i64::from(*status),
        location,
        etag,
        body,
        now,
        expired
    ];
    match tx.run(sql, args).await? {
        0 => Err(StoreError::Duplicate("Idempotency-Key")),
        _ => Ok(()),
    }
}

/// Forgets up to `limit` answers of all companies that are older than `before`; returns how many.
pub async fn forget(tx: &Tx, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    let sql = sql!(
        "delete from idempotency where (company_id, client_id, key) in
            (select company_id, client_id, key from idempotency where created_at <= $1 order by created_at limit $2)"
    );
    tx.run(sql, args![before, limit]).await
}
