//! API clients (RFC 6749 §2): who may ask for tokens, and for what.

use orquiva_core::id::{ClientId, CompanyId};
use orquiva_core::{Scopes, Timestamp};

use crate::authority;
use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// An API client of a company.
pub struct Client {
    /// Whose client it is.
    pub company: CompanyId,
    /// `client_id`.
    pub id: ClientId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The keyed hash of its secret.
    pub secret_hash: Vec<u8>,
    /// The keyed hash of the secret before that, and until when it is still good.
    pub previous: Option<(Vec<u8>, Timestamp)>,
    /// Who created it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// Creates a client.
pub async fn create(tx: &Tx, client: &Client) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into client (company_id, id, name, scopes, secret_hash, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)"
    );
    let Client { company, id, name, scopes, secret_hash, created_by, created_at, .. } = client;
    let args = args![*company, *id, name, scopes.to_string(), secret_hash, created_by, *created_at];
    tx.run(sql, args).await?;
    authority::announce(tx).await
}

/// A client of whatever company: only for the token endpoint and the operator, who know nothing but its id.
pub async fn find(tx: &Tx, id: ClientId) -> Result<Client, StoreError> {
    let sql = sql!(
        "select company_id, id, name, scopes, secret_hash, previous_hash, previous_until, created_by, created_at, revoked_at
           from client where id = $1"
    );
    tx.first(sql, args![id], read).await?.ok_or(StoreError::NotFound)
}

/// Every client of a company, the oldest first.
pub async fn list(tx: &Tx, company: CompanyId) -> Result<Vec<Client>, StoreError> {
    let sql = sql!(
        "select company_id, id, name, scopes, secret_hash, previous_hash, previous_until, created_by, created_at, revoked_at
           from client where company_id = $1 order by id"
    );
    tx.all(sql, args![company], read).await
}

/// Revokes a client for good: its secrets and its live tokens end.
pub async fn revoke(tx: &Tx, company: CompanyId, id: ClientId, now: Timestamp) -> Result<(), StoreError> {
    let sql =
        sql!("update client set revoked_at = coalesce(revoked_at, $3) where company_id = $1 and id = $2");
    match tx.run(sql, args![company, id, now]).await? {
        0 => Err(StoreError::NotFound),
        _ => authority::announce(tx).await,
    }
}

/// Gives a client a new secret; the old one stays good until `overlap`.
pub async fn rotate(
    tx: &Tx,
    company: CompanyId,
    id: ClientId,
    hash: &[u8],
    overlap: Timestamp,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update client set previous_hash = secret_hash, previous_until = $4, secret_hash = $3
          where company_id = $1 and id = $2 and revoked_at is null"
    );
    match tx.run(sql, args![company, id, hash, overlap]).await? {
        0 => Err(StoreError::NotFound),
        _ => authority::announce(tx).await,
    }
}

fn read(row: &Row<'_>) -> Result<Client, StoreError> {
    let scopes = row.text(3)?;
    Ok(Client {
        company: row.id(0)?,
        id: row.id(1)?,
        name: row.text(2)?,
        scopes: Scopes::parse(&scopes)
            .map_err(|unknown| StoreError::broken(format!("`{unknown}` is no scope")))?,
        secret_hash: row.bytes(4)?,
        previous: row.opt_bytes(5)?.zip(row.opt_time(6)?),
        created_by: row.text(7)?,
        created_at: row.time(8)?,
        revoked_at: row.opt_time(9)?,
    })
}
