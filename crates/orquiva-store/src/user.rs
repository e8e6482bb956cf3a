//! People who use the console, whatever companies they belong to.

use orquiva_core::employee::Email;
use orquiva_core::id::UserId;
use orquiva_core::{Language, Timestamp};

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// Someone who uses the console.
#[derive(Clone, Debug)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// By which they sign in.
    pub email: String,
    /// As they are called.
    pub name: String,
    /// The hash of their password; empty if they have none.
    pub password_hash: String,
    /// The language of their screens, if they chose one.
    pub language: Option<Language>,
    /// Wrong passwords since the last right one.
    pub failures: i64,
    /// Until when no password counts.
    pub blocked_until: Timestamp,
    /// The secret of their authenticator app, sealed, if they have one.
    pub totp: Option<Vec<u8>>,
    /// The step of the last of its codes that they used.
    pub totp_step: i64,
    /// When they came.
    pub created_at: Timestamp,
    /// When they last signed in.
    pub last_sign_in_at: Option<Timestamp>,
}

/// Adds someone; two with one address are refused as `Duplicate("email")`.
pub async fn create(tx: &Tx, user: &User) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into console_user (id, email, email_key, name, password_hash, language, failures, blocked_until, created_at)
         values ($1, $2, $3, $4, $5, $6, 0, 0, $7) on conflict do nothing"
    );
    let language = user.language.map(Language::tag);
    let args = args![
        user.id,
        &user.email,
        key(&user.email),
        &user.name,
        &user.password_hash,
        language,
        user.created_at
    ];
    match tx.run(sql, args).await? {
        0 => Err(StoreError::Duplicate("email")),
        _ => Ok(()),
    }
}

/// Someone by their id.
pub async fn get(tx: &Tx, id: UserId) -> Result<User, StoreError> {
    let sql = sql!(
        "select id, email, name, password_hash, language, failures, blocked_until, created_at, last_sign_in_at,
                totp, totp_step
           from console_user where id = $1"
    );
    tx.first(sql, args![id], read).await?.ok_or(StoreError::NotFound)
}

/// Someone by their address, in whatever case it is written.
pub async fn by_email(tx: &Tx, email: &str) -> Result<Option<User>, StoreError> {
    let sql = sql!(
        "select id, email, name, password_hash, language, failures, blocked_until, created_at, last_sign_in_at,
                totp, totp_step
           from console_user where email_key = $1"
    );
    tx.first(sql, args![key(email)], read).await
}

/// Counts a wrong password, and lets none count before `blocked_until`.
pub async fn failed(tx: &Tx, id: UserId, blocked_until: Timestamp) -> Result<(), StoreError> {
    let sql = sql!("update console_user set failures = failures + 1, blocked_until = $2 where id = $1");
    tx.run(sql, args![id, blocked_until]).await.map(drop)
}

/// Notes that someone signed in at `now`: what failed before is forgotten.
pub async fn signed_in(tx: &Tx, id: UserId, now: Timestamp) -> Result<(), StoreError> {
    let sql =
        sql!("update console_user set failures = 0, blocked_until = 0, last_sign_in_at = $2 where id = $1");
    tx.run(sql, args![id, now]).await.map(drop)
}

/// Gives someone another password.
pub async fn set_password(tx: &Tx, id: UserId, hash: &str) -> Result<(), StoreError> {
    let sql =
        sql!("update console_user set password_hash = $2, failures = 0, blocked_until = 0 where id = $1");
    tx.run(sql, args![id, hash]).await.map(drop)
}

/// Changes how someone is called and in which language they read.
pub async fn change(tx: &Tx, id: UserId, name: &str, language: Option<Language>) -> Result<(), StoreError> {
    let sql = sql!("update console_user set name = $2, language = $3 where id = $1");
    tx.run(sql, args![id, name, language.map(Language::tag)]).await.map(drop)
}

/// Two addresses that differ in case only are one person's.
pub(crate) fn key(email: &str) -> String {
    Email::parse(email).map_or_else(|| email.trim().to_lowercase(), |email| email.key())
}

fn read(row: &Row<'_>) -> Result<User, StoreError> {
    let language = row.opt_text(4)?;
    Ok(User {
        id: row.id(0)?,
        email: row.text(1)?,
        name: row.text(2)?,
        password_hash: row.text(3)?,
        language: language.as_deref().and_then(Language::parse),
        failures: row.int(5)?,
        blocked_until: row.time(6)?,
        created_at: row.time(7)?,
        last_sign_in_at: row.opt_time(8)?,
        totp: row.opt_bytes(9)?,
        totp_step: row.int(10)?,
    })
}
