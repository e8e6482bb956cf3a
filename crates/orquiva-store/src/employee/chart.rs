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

/// Up to `limit` people who report directly to one of `managers`, those of the first ones first.
pub async fn below(
    tx: &Tx,
    company: CompanyId,
    managers: &[EmployeeId],
    limit: i64,
) -> Result<Vec<Standing>, StoreError> {
    // Manager by manager, so that no more are read than there is room for.
    let sql = sql!(
        sqlite "select e.id, e.full_name, e.job_title, e.manager_id
                  from json_each($2) above cross join employee e indexed by employee_manager
                 where e.company_id = $1 and e.manager_id = above.value and e.status <> 'terminated' limit $3",
        postgres "select e.id, e.full_name, e.job_title, e.manager_id
                    from json_array_elements_text($2::text::json) above (id) cross join lateral
                         (select id, full_name, job_title, manager_id from employee
                           where company_id = $1 and manager_id = above.id and status <> 'terminated'
                           order by id limit $3) e
                   limit $3"
    );
    tx.all(sql, args![company, json(managers)?, limit], read).await
}

/// How many people report directly to each of `managers`; who has none is not there.
pub async fn counts(
    tx: &Tx,
    company: CompanyId,
    managers: &[EmployeeId],
) -> Result<HashMap<EmployeeId, i64>, StoreError> {
    // Everyone less those who have left: both are counted without reading a row.
    let sql = sql!(
        sqlite "select above.value,
                    (select count(*) from employee indexed by employee_manager
                      where company_id = $1 and manager_id = above.value)
                  - (select count(*) from employee indexed by employee_left_manager
                      where company_id = $1 and manager_id = above.value and status = 'terminated')
                  from json_each($2) above",
        postgres "select above.id,
                      (select count(*) from employee where company_id = $1 and manager_id = above.id)
                    - (select count(*) from employee
                        where company_id = $1 and manager_id = above.id and status = 'terminated')
                    from json_array_elements_text($2::text::json) above (id)"
    );
    let rows = tx.all(sql, args![company, json(managers)?], |row| Ok((row.id(0)?, row.int(1)?))).await?;
    Ok(rows.into_iter().filter(|(_, count)| *count > 0).collect())
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
