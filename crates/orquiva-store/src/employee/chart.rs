//! Who reports to whom, as a chart shows it: those who have left are not in it.

use std::collections::HashMap;

use orquiva_core::id::{CompanyId, EmployeeId};

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// As much of someone as a chart shows.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Their id.
    pub id: EmployeeId,
    /// The whole name.
    pub full_name: String,
    /// What they do.
    pub job_title: Option<String>,
    /// Whom they report to.
    pub manager: Option<EmployeeId>,
}

/// One person.
pub async fn named(tx: &Tx, company: CompanyId, id: EmployeeId) -> Result<Option<Standing>, StoreError> {
    let sql =
        sql!("select id, full_name, job_title, manager_id from employee where company_id = $1 and id = $2");
    tx.first(sql, args![company, id], read).await
}

/// Up to `limit` people who have others report to them and report to nobody, by name.
pub async fn tops(tx: &Tx, company: CompanyId, limit: i64) -> Result<Vec<Standing>, StoreError> {
    // From the few who manage anyone, along the index of managers.
    let sql = sql!(
        "select e.id, e.full_name, e.job_title, e.manager_id
           from (select distinct manager_id from employee where company_id = $1 and manager_id is not null) above
                join employee e on e.company_id = $1 and e.id = above.manager_id
          where e.manager_id is null and e.status <> 'terminated' order by e.name_key, e.id limit $2"
    );
    tx.all(sql, args![company, limit], read).await
}

/// Up to `limit` people who report directly to one of `managers`, by name.
pub async fn below(
    tx: &Tx,
    company: CompanyId,
    managers: &[EmployeeId],
    limit: i64,
) -> Result<Vec<Standing>, StoreError> {
    let sql = sql!(
        sqlite "select id, full_name, job_title, manager_id from employee
                 where company_id = $1 and manager_id in (select value from json_each($2)) and status <> 'terminated'
                 order by name_key, id limit $3",
        postgres "select id, full_name, job_title, manager_id from employee
                   where company_id = $1 and manager_id = any (array(select json_array_elements_text($2::text::json)))
                     and status <> 'terminated' order by name_key, id limit $3"
    );
    tx.all(sql, args![company, json(managers)?, limit], read).await
}

/// How many people report directly to each of `managers`; who has none is not there.
pub async fn counts(
    tx: &Tx,
    company: CompanyId,
    managers: &[EmployeeId],
) -> Result<HashMap<EmployeeId, i64>, StoreError> {
    let sql = sql!(
        sqlite "select manager_id, count(*) from employee
                 where company_id = $1 and manager_id in (select value from json_each($2)) and status <> 'terminated'
                 group by manager_id",
        postgres "select manager_id, count(*) from employee
                   where company_id = $1 and manager_id = any (array(select json_array_elements_text($2::text::json)))
                     and status <> 'terminated' group by manager_id"
    );
    let rows = tx.all(sql, args![company, json(managers)?], |row| Ok((row.id(0)?, row.int(1)?))).await?;
    Ok(rows.into_iter().collect())
}

fn json(ids: &[EmployeeId]) -> Result<String, StoreError> {
    serde_json::to_string(ids).map_err(StoreError::broken)
}

fn read(row: &Row<'_>) -> Result<Standing, StoreError> {
    Ok(Standing {
        id: row.id(0)?,
        full_name: row.text(1)?,
        job_title: row.opt_text(2)?,
        manager: row.opt_id(3)?,
    })
}
