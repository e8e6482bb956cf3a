//! How a company begins: with itself, someone who owns it, and nothing else.

use orquiva_core::id::{CompanyId, UserId};
use orquiva_core::{Company, Role, Timestamp};
use orquiva_store::user::User;
use orquiva_store::{StoreError, Tx, company, member, user};

/// Founds a company whose owner is new here as well; an address that somebody has is `Duplicate("email")`.
pub async fn found(tx: &Tx, company: &Company, owner: &User) -> Result<(), StoreError> {
    company::create(tx, company).await?;
    join(tx, company.id, owner, Role::Owner, company.created_at).await
}

/// Makes someone who is new here a member of a company.
pub async fn join(
    tx: &Tx,
    company: CompanyId,
    new: &User,
    role: Role,
    now: Timestamp,
) -> Result<(), StoreError> {
    user::create(tx, new).await?;
    member::create(tx, company, new.id, role, &new.id.to_string(), now).await
}

/// Someone who comes to the console for the first time.
pub fn newcomer(id: UserId, name: &str, email: &str, password_hash: String, now: Timestamp) -> User {
    User {
        id,
        email: email.to_owned(),
        name: name.to_owned(),
        password_hash,
        language: None,
        failures: 0,
        blocked_until: Timestamp::from_millis(0),
        totp: None,
        totp_step: 0,
        created_at: now,
        last_sign_in_at: None,
    }
}
