//! What decides who may come in: the installation's settings, its signing keys, and the number that tells
//! every node that one of them, a company or a client has changed.

use orquiva_core::Timestamp;
use orquiva_core::id::KeyId;

use crate::sql::sql;
use crate::{StoreError, Tx, args};

/// An Ed25519 key that signs access tokens, its private half sealed.
#[derive(Clone)]
pub struct SigningKey {
    /// `kid` in tokens and in the key set.
    pub id: KeyId,
    /// The private half (PKCS #8), sealed under the master key.
    pub sealed: Vec<u8>,
    /// The public half, 32 bytes.
    pub public: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The number that rises with every change to companies, clients and keys, and the one that rises with every
/// revoked token: revoking one makes nobody forget the others.
pub async fn versions(tx: &Tx) -> Result<(i64, i64), StoreError> {
    let sql = sql!("select version, revocations from authority where id = 1");
    tx.first(sql, &[], |row| Ok((row.int(0)?, row.int(1)?))).await?.ok_or(StoreError::NotFound)
}

/// Tells every node to forget what it remembers of companies, clients and keys.
pub async fn announce(tx: &Tx) -> Result<(), StoreError> {
    tx.run(sql!("update authority set version = version + 1 where id = 1"), &[]).await.map(drop)
}

/// Tells every node that a token was revoked.
pub async fn announce_revocation(tx: &Tx) -> Result<(), StoreError> {
    tx.run(sql!("update authority set revocations = revocations + 1 where id = 1"), &[]).await.map(drop)
}

/// A setting of the installation; `value` is written if there was none, and what counts is returned.
pub async fn setting(tx: &Tx, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    let insert = sql!("insert into setting (name, value) values ($1, $2) on conflict do nothing");
    tx.run(insert, args![name, value]).await?;
    let select = sql!("select value from setting where name = $1");
    tx.first(select, args![name], |row| row.bytes(0)).await?.ok_or(StoreError::NotFound)
}

/// Every signing key, the newest first.
pub async fn keys(tx: &Tx) -> Result<Vec<SigningKey>, StoreError> {
    let sql =
        sql!("select id, sealed, public, created_at from signing_key order by created_at desc, id desc");
    tx.all(sql, &[], |row| {
        Ok(SigningKey {
            id: row.id(0)?,
            sealed: row.bytes(1)?,
            public: row.bytes(2)?,
            created_at: row.time(3)?,
        })
    })
    .await
}

/// Adds a signing key.
pub async fn add_key(tx: &Tx, key: &SigningKey) -> Result<(), StoreError> {
    let sql = sql!("insert into signing_key (id, sealed, public, created_at) values ($1, $2, $3, $4)");
    tx.run(sql, args![key.id, &key.sealed, &key.public, key.created_at]).await?;
    announce(tx).await
}

/// Removes the signing keys `ids`, whose last tokens have ended.
pub async fn remove_keys(tx: &Tx, ids: &[KeyId]) -> Result<(), StoreError> {
    for id in ids {
        tx.run(sql!("delete from signing_key where id = $1"), args![*id]).await?;
    }
    announce(tx).await
}
