//! Departments: known by name, without regard to case and accents.

use orquiva_core::Timestamp;
use orquiva_core::id::{CompanyId, DepartmentId};

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// A department.
#[derive(Clone, Debug)]
pub struct Department {
    /// Its id.
    pub id: DepartmentId,
    /// Its name, as it was first written.
    pub name: String,
}

/// The department of that name, by the folded form of it.
pub async fn by_name(tx: &Tx, company: CompanyId, key: &str) -> Result<Option<Department>, StoreError> {
    let sql = sql!("select id, name from department where company_id = $1 and name_key = $2");
    tx.first(sql, args![company, key], read).await
}

/// The department of that id.
pub async fn by_id(tx: &Tx, company: CompanyId, id: DepartmentId) -> Result<Option<Department>, StoreError> {
    let sql = sql!("select id, name from department where company_id = $1 and id = $2");
    tx.first(sql, args![company, id], read).await
}

/// Creates a department.
pub async fn create(
    tx: &Tx,
    company: CompanyId,
    department: &Department,
    key: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into department (company_id, id, name, name_key, created_at) values ($1, $2, $3, $4, $5)"
    );
    tx.run(sql, args![company, department.id, &department.name, key, now]).await.map(drop)
}

fn read(row: &Row<'_>) -> Result<Department, StoreError> {
    Ok(Department { id: row.id(0)?, name: row.text(1)? })
}
