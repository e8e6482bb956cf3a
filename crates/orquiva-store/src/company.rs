//! Companies.

use orquiva_core::id::CompanyId;
use orquiva_core::{Company, Plan};

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// Creates a company and its empty event log.
pub async fn create(tx: &Tx, company: &Company) -> Result<(), StoreError> {
    let sql = sql!("insert into company (id, name, plan, created_at) values ($1, $2, $3, $4)");
    tx.run(sql, args![company.id, &company.name, company.plan.as_str(), company.created_at]).await?;
    tx.run(sql!("insert into event_log (company_id, last_sequence) values ($1, 0)"), args![company.id])
        .await?;
    Ok(())
}

/// One company.
pub async fn get(tx: &Tx, id: CompanyId) -> Result<Company, StoreError> {
    let sql = sql!("select id, name, plan, created_at from company where id = $1");
    tx.first(sql, args![id], read).await?.ok_or(StoreError::NotFound)
}

/// Every company, for the operator, the oldest first.
pub async fn list(tx: &Tx) -> Result<Vec<Company>, StoreError> {
    tx.all(sql!("select id, name, plan, created_at from company order by id"), &[], read).await
}

fn read(row: &Row<'_>) -> Result<Company, StoreError> {
    let plan = row.text(2)?;
    Ok(Company {
        id: row.id(0)?,
        name: row.text(1)?,
        plan: Plan::parse(&plan).ok_or_else(|| StoreError::broken(format!("`{plan}` is no plan")))?,
        created_at: row.time(3)?,
    })
}
