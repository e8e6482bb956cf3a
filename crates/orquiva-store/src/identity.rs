//! Who users of the console are to an OpenID Connect provider.

use orquiva_core::Timestamp;
use orquiva_core::id::UserId;

use crate::sql::sql;
use crate::{StoreError, Tx, args};

/// Links someone with who they are to `issuer`. Whoever is linked with somebody already is `Duplicate("subject")`.
pub async fn create(
    tx: &Tx,
    (issuer, subject): (&str, &str),
    user: UserId,
    email: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into identity (issuer, subject, user_id, email, created_at) values ($1, $2, $3, $4, $5)
         on conflict do nothing"
    );
    match tx.run(sql, args![issuer, subject, user, email, now]).await? {
        0 => Err(StoreError::Duplicate("subject")),
        _ => Ok(()),
    }
}

/// Who is linked with this subject of an issuer, if anyone is.
pub async fn find(tx: &Tx, issuer: &str, subject: &str) -> Result<Option<UserId>, StoreError> {
    let sql = sql!("select user_id from identity where issuer = $1 and subject = $2");
    tx.first(sql, args![issuer, subject], |row| row.id(0)).await
}

/// Notes that someone came by way of it.
pub async fn used(tx: &Tx, issuer: &str, subject: &str, now: Timestamp) -> Result<(), StoreError> {
    let sql = sql!("update identity set last_used_at = $3 where issuer = $1 and subject = $2");
    tx.run(sql, args![issuer, subject, now]).await.map(drop)
}

/// The addresses under which an issuer knows someone; empty where it did not say.
pub async fn of_user(tx: &Tx, issuer: &str, user: UserId) -> Result<Vec<String>, StoreError> {
    let sql = sql!(
        "select coalesce(email, '') from identity where user_id = $2 and issuer = $1 order by created_at, subject"
    );
    tx.all(sql, args![issuer, user], |row| row.text(0)).await
}

/// Unlinks someone from an issuer.
pub async fn remove(tx: &Tx, issuer: &str, user: UserId) -> Result<(), StoreError> {
    let sql = sql!("delete from identity where user_id = $2 and issuer = $1");
    tx.run(sql, args![issuer, user]).await.map(drop)
}
