//! What must be remembered of tokens: those that were revoked before their time, and the assertions by which
//! clients asked for them, each of which is good once.

use orquiva_core::Timestamp;
use orquiva_core::id::{ClientId, CompanyId, TokenId};

use crate::authority;
use crate::sql::sql;
use crate::{StoreError, Tx, args};

/// Revokes an access token. It is remembered until it would have ended by itself.
pub async fn revoke(tx: &Tx, company: CompanyId, id: TokenId, expires: Timestamp) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into revoked_token (company_id, id, expires_at) values ($1, $2, $3) on conflict do nothing"
    );
    match tx.run(sql, args![company, id, expires]).await? {
        0 => Ok(()),
        _ => authority::announce_revocation(tx).await,
    }
}

/// Every revoked token of all companies that would still be alive.
pub async fn revoked(tx: &Tx, now: Timestamp) -> Result<Vec<TokenId>, StoreError> {
    let sql = sql!("select id from revoked_token where expires_at > $1");
    tx.all(sql, args![now], |row| row.id(0)).await
}

/// Spends the assertion `name` of a client; false if it was spent before, on whatever node.
pub async fn spend(
    tx: &Tx,
    company: CompanyId,
    client: ClientId,
    name: &str,
    expires: Timestamp,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "insert into assertion (company_id, client_id, name, expires_at) values ($1, $2, $3, $4)
         on conflict do nothing"
    );
    Ok(tx.run(sql, args![company, client, name, expires]).await? > 0)
}

/// Forgets up to `limit` each of the revoked tokens and spent assertions of all companies that have ended
/// before `before`; returns how many.
pub async fn forget(tx: &Tx, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    let tokens = sql!(
        "delete from revoked_token where (company_id, id) in
            (select company_id, id from revoked_token where expires_at <= $1 order by expires_at limit $2)"
    );
    let assertions = sql!(
        "delete from assertion where (company_id, client_id, name) in
            (select company_id, client_id, name from assertion where expires_at <= $1 order by expires_at limit $2)"
    );
    Ok(tx.run(tokens, args![before, limit]).await? + tx.run(assertions, args![before, limit]).await?)
}
