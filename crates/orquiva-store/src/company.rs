//! Companies.

use orquiva_core::id::CompanyId;
use orquiva_core::{Company, Language, Plan, Timestamp};

use crate::authority;
use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// Creates a company and its empty event log.
pub async fn create(tx: &Tx, company: &Company) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into company (id, name, plan, closed_departments, created_at) values ($1, $2, $3, $4, $5)"
    );
    let closed = i64::from(company.closed_departments);
    tx.run(sql, args![company.id, &company.name, company.plan.as_str(), closed, company.created_at]).await?;
    let log = sql!("insert into event_log (company_id, last_sequence, expired_sequence) values ($1, 0, 0)");
    tx.run(log, args![company.id]).await?;
    Ok(())
}

/// One company.
pub async fn get(tx: &Tx, id: CompanyId) -> Result<Company, StoreError> {
    let sql = sql!(
        "select id, name, plan, closed_departments, created_at, suspended_at from company where id = $1"
    );
    tx.first(sql, args![id], read).await?.ok_or(StoreError::NotFound)
}

/// The language of a company's pages for who has chosen none, if it has one.
pub async fn language(tx: &Tx, id: CompanyId) -> Result<Option<Language>, StoreError> {
    let sql = sql!("select language from company where id = $1");
    let found = tx.first(sql, args![id], |row| row.opt_text(0)).await?.flatten();
    Ok(found.as_deref().and_then(Language::parse))
}

/// One company, which nobody else changes until the transaction ends.
pub async fn hold(tx: &Tx, id: CompanyId) -> Result<Company, StoreError> {
    // SQLite has one writer.
    let sql = sql!(
        sqlite "select id, name, plan, closed_departments, created_at, suspended_at from company where id = $1",
        postgres "select id, name, plan, closed_departments, created_at, suspended_at from company where id = $1 for update"
    );
    tx.first(sql, args![id], read).await?.ok_or(StoreError::NotFound)
}

/// Changes what a company says of itself.
pub async fn change(
    tx: &Tx,
    id: CompanyId,
    name: &str,
    language: Option<Language>,
    closed_departments: bool,
) -> Result<(), StoreError> {
    let sql = sql!("update company set name = $2, language = $3, closed_departments = $4 where id = $1");
    let args = args![id, name, language.map(Language::tag), i64::from(closed_departments)];
    tx.run(sql, args).await.map(drop)
}

/// Whether only `/v1/departments` creates departments from now on.
pub async fn close_departments(tx: &Tx, id: CompanyId, closed: bool) -> Result<(), StoreError> {
    let sql = sql!("update company set closed_departments = $2 where id = $1");
    match tx.run(sql, args![id, i64::from(closed)]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// Every company, for the operator, the oldest first.
pub async fn list(tx: &Tx) -> Result<Vec<Company>, StoreError> {
    let sql =
        sql!("select id, name, plan, closed_departments, created_at, suspended_at from company order by id");
    tx.all(sql, &[], read).await
}

/// Suspends a company since `since`, or lets it come in again. Its data stays as it is.
pub async fn suspend(tx: &Tx, id: CompanyId, since: Option<Timestamp>) -> Result<(), StoreError> {
    match tx.run(sql!("update company set suspended_at = $2 where id = $1"), args![id, since]).await? {
        0 => Err(StoreError::NotFound),
        _ => authority::announce(tx).await,
    }
}

fn read(row: &Row<'_>) -> Result<Company, StoreError> {
    let plan = row.text(2)?;
    Ok(Company {
        id: row.id(0)?,
        name: row.text(1)?,
        plan: Plan::parse(&plan).ok_or_else(|| StoreError::broken(format!("`{plan}` is no plan")))?,
        closed_departments: row.int(3)? != 0,
        created_at: row.time(4)?,
        suspended_at: row.opt_time(5)?,
    })
}
