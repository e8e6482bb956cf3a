//! What proves who someone is beside a password: an authenticator app, recovery codes, passkeys.

use orquiva_core::Timestamp;
use orquiva_core::id::UserId;
use orquiva_core::webauthn::Passkey;

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// A passkey of someone's.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Whose.
    pub user: UserId,
    /// What they call it.
    pub name: String,
    /// The key.
    pub key: Passkey,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// Gives someone an app's sealed secret, whose first code was that of `step`, or takes it away with the recovery codes.
pub async fn set_totp(tx: &Tx, user: UserId, sealed: Option<&[u8]>, step: i64) -> Result<(), StoreError> {
    tx.run(sql!("delete from recovery_code where user_id = $1"), args![user]).await?;
    let sql = sql!("update console_user set totp = $2, totp_step = $3 where id = $1");
    tx.run(sql, args![user, sealed, step]).await.map(drop)
}

/// Spends the code of a step; false if it or a later one was spent before.
pub async fn spend_step(tx: &Tx, user: UserId, step: i64) -> Result<bool, StoreError> {
    let sql = sql!("update console_user set totp_step = $2 where id = $1 and totp_step < $2");
    Ok(tx.run(sql, args![user, step]).await? > 0)
}

/// Gives someone these recovery codes, by their hashes, in place of those that there were.
pub async fn set_recovery(tx: &Tx, user: UserId, hashes: &[Vec<u8>]) -> Result<(), StoreError> {
    tx.run(sql!("delete from recovery_code where user_id = $1"), args![user]).await?;
    let rows: Vec<_> = hashes.iter().map(|hash| args![user, hash].to_vec()).collect();
    tx.run_each(sql!("insert into recovery_code (user_id, code_hash) values ($1, $2)"), &rows).await
}

/// Spends a recovery code; false if there is none of this hash.
pub async fn spend_recovery(tx: &Tx, user: UserId, hash: &[u8]) -> Result<bool, StoreError> {
    let sql = sql!("delete from recovery_code where user_id = $1 and code_hash = $2");
    Ok(tx.run(sql, args![user, hash]).await? > 0)
}

/// How many recovery codes someone has left.
pub async fn recovery_left(tx: &Tx, user: UserId) -> Result<i64, StoreError> {
    let sql = sql!("select count(*) from recovery_code where user_id = $1");
    Ok(tx.first(sql, args![user], |row| row.int(0)).await?.unwrap_or(0))
}

/// Adds a passkey; one that somebody has is `Duplicate("passkey")`.
pub async fn add_passkey(tx: &Tx, kept: &Kept) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into passkey (id, user_id, name, public_key, algorithm, counter, created_at)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing"
    );
    let Passkey { id, public_key, algorithm, counter } = &kept.key;
    let args = args![id, kept.user, &kept.name, public_key, *algorithm, i64::from(*counter), kept.created_at];
    match tx.run(sql, args).await? {
        0 => Err(StoreError::Duplicate("passkey")),
        _ => Ok(()),
    }
}

/// A passkey by its id, whoever has it.
pub async fn passkey(tx: &Tx, id: &str) -> Result<Option<Kept>, StoreError> {
    let sql = sql!(
        "select id, user_id, name, public_key, algorithm, counter, created_at, last_used_at from passkey where id = $1"
    );
    tx.first(sql, args![id], read).await
}

/// The passkeys of someone, the oldest first.
pub async fn passkeys(tx: &Tx, user: UserId) -> Result<Vec<Kept>, StoreError> {
    let sql = sql!(
        "select id, user_id, name, public_key, algorithm, counter, created_at, last_used_at
           from passkey where user_id = $1 order by created_at, id"
    );
    tx.all(sql, args![user], read).await
}

/// Notes that a passkey was used.
pub async fn passkey_used(tx: &Tx, id: &str, counter: u32, now: Timestamp) -> Result<(), StoreError> {
    let sql = sql!("update passkey set counter = $2, last_used_at = $3 where id = $1");
    tx.run(sql, args![id, i64::from(counter), now]).await.map(drop)
}

/// Removes a passkey of someone.
pub async fn remove_passkey(tx: &Tx, user: UserId, id: &str) -> Result<(), StoreError> {
    tx.run(sql!("delete from passkey where user_id = $1 and id = $2"), args![user, id]).await.map(drop)
}

fn read(row: &Row<'_>) -> Result<Kept, StoreError> {
    Ok(Kept {
        user: row.id(1)?,
        name: row.text(2)?,
        key: Passkey {
            id: row.text(0)?,
            public_key: row.bytes(3)?,
            algorithm: row.int(4)?,
            counter: u32::try_from(row.int(5)?).map_err(StoreError::broken)?,
        },
        created_at: row.time(6)?,
        last_used_at: row.opt_time(7)?,
    })
}
