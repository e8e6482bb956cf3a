//! Who belongs to a company's console, and as what.

use orquiva_core::id::{CompanyId, UserId};
use orquiva_core::{Role, Timestamp};

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// Someone who belongs to a company's console.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// As they are called.
    pub name: String,
    /// By which they sign in.
    pub email: String,
    /// As what.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
    /// When they last signed in.
    pub last_sign_in_at: Option<Timestamp>,
    /// Whether a password alone does not let them in, or they have a passkey.
    pub has_second_factor: bool,
}

/// A company that someone belongs to.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Which.
    pub company: CompanyId,
    /// As it calls itself.
    pub company_name: String,
    /// As what.
    pub role: Role,
}

/// Makes someone a member; who is one already stays as they are, and it is `Duplicate("email")`.
pub async fn create(
    tx: &Tx,
    company: CompanyId,
    user: UserId,
    role: Role,
    by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into member (company_id, user_id, role, created_by, created_at) values ($1, $2, $3, $4, $5)
         on conflict do nothing"
    );
    match tx.run(sql, args![company, user, role.as_str(), by, now]).await? {
        0 => Err(StoreError::Duplicate("email")),
        _ => Ok(()),
    }
}

/// As what someone belongs to a company, if they do.
pub async fn role(tx: &Tx, company: CompanyId, user: UserId) -> Result<Option<Role>, StoreError> {
    let sql = sql!("select role from member where company_id = $1 and user_id = $2");
    tx.first(sql, args![company, user], |row| read_role(row, 0)).await
}

/// The members of a company, the first ones first.
pub async fn list(tx: &Tx, company: CompanyId) -> Result<Vec<Member>, StoreError> {
    let sql = sql!(
        "select m.user_id, u.name, u.email, m.role, m.created_at, u.last_sign_in_at,
                cast(case when u.totp is not null or exists (select 1 from passkey p where p.user_id = u.id)
                     then 1 else 0 end as bigint)
           from member m join console_user u on u.id = m.user_id
          where m.company_id = $1 order by m.created_at, m.user_id"
    );
    tx.all(sql, args![company], |row| {
        Ok(Member {
            user: row.id(0)?,
            name: row.text(1)?,
            email: row.text(2)?,
            role: read_role(row, 3)?,
            created_at: row.time(4)?,
            last_sign_in_at: row.opt_time(5)?,
            has_second_factor: row.int(6)? > 0,
        })
    })
    .await
}

/// The companies that someone belongs to, in the order in which they came.
pub async fn companies(tx: &Tx, user: UserId) -> Result<Vec<Membership>, StoreError> {
    let sql = sql!(
        "select c.id, c.name, m.role from member m join company c on c.id = m.company_id
          where m.user_id = $1 order by m.created_at, c.id"
    );
    tx.all(sql, args![user], |row| {
        Ok(Membership { company: row.id(0)?, company_name: row.text(1)?, role: read_role(row, 2)? })
    })
    .await
}

/// Gives a member another role.
pub async fn change(tx: &Tx, company: CompanyId, user: UserId, role: Role) -> Result<(), StoreError> {
    let sql = sql!("update member set role = $3 where company_id = $1 and user_id = $2");
    match tx.run(sql, args![company, user, role.as_str()]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// Removes a member.
pub async fn remove(tx: &Tx, company: CompanyId, user: UserId) -> Result<(), StoreError> {
    match tx
        .run(sql!("delete from member where company_id = $1 and user_id = $2"), args![company, user])
        .await?
    {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// How many owners a company has: the last one stays.
pub async fn owners(tx: &Tx, company: CompanyId) -> Result<i64, StoreError> {
    let sql = sql!("select count(*) from member where company_id = $1 and role = 'owner'");
    Ok(tx.first(sql, args![company], |row| row.int(0)).await?.unwrap_or(0))
}

pub(crate) fn read_role(row: &Row<'_>, column: usize) -> Result<Role, StoreError> {
    let text = row.text(column)?;
    Role::parse(&text).ok_or_else(|| StoreError::broken(format!("`{text}` is no role")))
}
