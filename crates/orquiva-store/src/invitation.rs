//! Who was invited to a company's console and has not come yet.

use orquiva_core::id::{CompanyId, InvitationId};
use orquiva_core::{Role, Timestamp};

use crate::member::read_role;
use crate::sql::sql;
use crate::user::key;
use crate::{Row, StoreError, Tx, args};

/// An invitation.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// To which company.
    pub company: CompanyId,
    /// The address of whoever it is for.
    pub email: String,
    /// As what they will belong to it.
    pub role: Role,
    /// Whose it is: a user's id, or `operator`.
    pub invited_by: String,
    /// As they are called.
    pub invited_by_name: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
}

/// Stores an invitation under the keyed hash of its token, in the place of an earlier one for the same address; those of
/// the company that have ended are forgotten.
pub async fn create(tx: &Tx, new: &Invitation, token_hash: &[u8]) -> Result<(), StoreError> {
    let Invitation { id, company, email, role, invited_by, invited_by_name, created_at, expires_at } = new;
    let others =
        sql!("delete from invitation where company_id = $1 and (email_key = $2 or expires_at <= $3)");
    tx.run(others, args![*company, key(email), *created_at]).await?;
    let sql = sql!(
        "insert into invitation (company_id, id, email, email_key, role, token_hash, invited_by, invited_by_name,
                created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    );
    let args = args![
        *company,
        *id,
        email,
        key(email),
        role.as_str(),
        token_hash,
        invited_by,
        invited_by_name,
        *created_at,
        *expires_at
    ];
    tx.run(sql, args).await.map(drop)
}

/// The invitation of a token, if it can still be accepted at `now`.
pub async fn find(tx: &Tx, token_hash: &[u8], now: Timestamp) -> Result<Option<Invitation>, StoreError> {
    let sql = sql!(
        "select company_id, id, email, role, invited_by, invited_by_name, created_at, expires_at from invitation
          where token_hash = $1 and expires_at > $2"
    );
    tx.first(sql, args![token_hash, now], read).await
}

/// The invitations to a company that can be accepted at `now`, the newest first.
pub async fn list(tx: &Tx, company: CompanyId, now: Timestamp) -> Result<Vec<Invitation>, StoreError> {
    let sql = sql!(
        "select company_id, id, email, role, invited_by, invited_by_name, created_at, expires_at from invitation
          where company_id = $1 and expires_at > $2 order by id desc"
    );
    tx.all(sql, args![company, now], read).await
}

/// Removes an invitation; who comes second finds none.
pub async fn remove(tx: &Tx, company: CompanyId, id: InvitationId) -> Result<(), StoreError> {
    let sql = sql!("delete from invitation where company_id = $1 and id = $2");
    match tx.run(sql, args![company, id]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

fn read(row: &Row<'_>) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        company: row.id(0)?,
        id: row.id(1)?,
        email: row.text(2)?,
        role: read_role(row, 3)?,
        invited_by: row.text(4)?,
        invited_by_name: row.text(5)?,
        created_at: row.time(6)?,
        expires_at: row.time(7)?,
    })
}
