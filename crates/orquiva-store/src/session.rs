//! Browsers that are signed in to the console.

use orquiva_core::Timestamp;
use orquiva_core::id::{CompanyId, SessionId, UserId};

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// A browser that is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id: what may be shown of it.
    pub id: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// Which company they look at.
    pub company: Option<CompanyId>,
    /// From where they signed in.
    pub address: Option<String>,
    /// What the browser says of itself.
    pub agent: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it last asked for a page, to about a minute.
    pub seen_at: Timestamp,
    /// When they last proved who they are.
    pub confirmed_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
}

/// Signs a browser in under the keyed hash of its token.
pub async fn create(tx: &Tx, session: &Session, token_hash: &[u8]) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into session (id, token_hash, user_id, company_id, address, agent, created_at, seen_at, confirmed_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    );
    let Session { id, user, company, address, agent, created_at, seen_at, confirmed_at, expires_at } =
        session;
    let args = args![
        *id,
        token_hash,
        *user,
        *company,
        address,
        agent,
        *created_at,
        *seen_at,
        *confirmed_at,
        *expires_at
    ];
    tx.run(sql, args).await.map(drop)
}

/// The session of a token, if there is one.
pub async fn find(tx: &Tx, token_hash: &[u8]) -> Result<Option<Session>, StoreError> {
    let sql = sql!(
        "select id, user_id, company_id, address, agent, created_at, seen_at, confirmed_at, expires_at
           from session where token_hash = $1"
    );
    tx.first(sql, args![token_hash], read).await
}

/// The sessions of someone, the newest first.
pub async fn list(tx: &Tx, user: UserId) -> Result<Vec<Session>, StoreError> {
    let sql = sql!(
        "select id, user_id, company_id, address, agent, created_at, seen_at, confirmed_at, expires_at
           from session where user_id = $1 order by id desc"
    );
    tx.all(sql, args![user], read).await
}

/// Notes that a session asked for a page.
pub async fn seen(tx: &Tx, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
    tx.run(sql!("update session set seen_at = $2 where id = $1"), args![id, now]).await.map(drop)
}

/// Notes that whoever is signed in has just proved who they are, and gives the session another token.
pub async fn confirm(tx: &Tx, id: SessionId, token_hash: &[u8], now: Timestamp) -> Result<(), StoreError> {
    let sql = sql!("update session set confirmed_at = $3, token_hash = $2 where id = $1");
    tx.run(sql, args![id, token_hash, now]).await.map(drop)
}

/// Lets a session look at another company.
pub async fn enter(tx: &Tx, id: SessionId, company: Option<CompanyId>) -> Result<(), StoreError> {
    tx.run(sql!("update session set company_id = $2 where id = $1"), args![id, company]).await.map(drop)
}

/// Ends one session of someone.
pub async fn end(tx: &Tx, user: UserId, id: SessionId) -> Result<(), StoreError> {
    tx.run(sql!("delete from session where user_id = $1 and id = $2"), args![user, id]).await.map(drop)
}

/// Ends every session of someone but `kept`; how many there were.
pub async fn end_others(tx: &Tx, user: UserId, kept: Option<SessionId>) -> Result<u64, StoreError> {
    let kept = kept.map_or(String::new(), |id| id.to_string());
    tx.run(sql!("delete from session where user_id = $1 and id <> $2"), args![user, kept]).await
}

/// Forgets sessions that have ended or were not seen since `idle_since`.
pub async fn forget(tx: &Tx, now: Timestamp, idle_since: Timestamp) -> Result<u64, StoreError> {
    let sql = sql!("delete from session where expires_at <= $1 or seen_at <= $2");
    tx.run(sql, args![now, idle_since]).await
}

fn read(row: &Row<'_>) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.id(0)?,
        user: row.id(1)?,
        company: row.opt_id(2)?,
        address: row.opt_text(3)?,
        agent: row.text(4)?,
        created_at: row.time(5)?,
        seen_at: row.time(6)?,
        confirmed_at: row.time(7)?,
        expires_at: row.time(8)?,
    })
}
