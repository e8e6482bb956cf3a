//! How someone is invited to a company's console: by a link with a token that only whoever was given it knows.

use orquiva_core::id::{CompanyId, InvitationId, UserId};
use orquiva_core::seal::MasterKey;
use orquiva_core::{Chance, Role, Secret, Timestamp};
use orquiva_store::invitation::Invitation;
use orquiva_store::{StoreError, Tx, invitation, member};

/// How long an invitation can be accepted, in milliseconds.
pub const OPEN: i64 = 7 * 24 * 3_600_000;

/// Whoever invites: the id of a user, or `operator`, and the name.
pub type Host<'h> = (&'h str, &'h str);

/// A new invitation.
pub fn new(
    id: InvitationId,
    company: CompanyId,
    email: &str,
    role: Role,
    (by, name): Host<'_>,
    now: Timestamp,
) -> Invitation {
    Invitation {
        id,
        company,
        email: email.to_owned(),
        role,
        invited_by: by.to_owned(),
        invited_by_name: name.to_owned(),
        created_at: now,
        expires_at: now.plus(OPEN),
    }
}

/// A token for a link: 256 random bits in hexadecimal.
pub fn token(chance: &dyn Chance) -> Secret {
    let mut bytes = [0_u8; 32];
    chance.fill(&mut bytes);
    Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The path of the link with this token.
pub fn path(token: &Secret) -> String {
    format!("/admin/invitation/{}", token.expose())
}

/// The keyed hash under which a token is kept.
pub fn hash(key: &MasterKey, token: &str) -> Vec<u8> {
    key.hash(&Secret::new(format!("invitation/{token}")))
}

/// Makes `user` a member by an invitation, which is gone with it; who is one already stays as they are. If somebody was
/// quicker there is no such invitation any more ([`StoreError::NotFound`]).
pub async fn accept(
    tx: &Tx,
    invitation: &Invitation,
    user: UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Invitation { id, company, role, invited_by, .. } = invitation;
    invitation::remove(tx, *company, *id).await?;
    match member::create(tx, *company, user, *role, invited_by, now).await {
        Ok(()) | Err(StoreError::Duplicate(_)) => Ok(()),
        Err(other) => Err(other),
    }
}
