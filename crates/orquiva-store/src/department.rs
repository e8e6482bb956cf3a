//! Departments: known by name, without regard to case and accents, and standing in a tree.

use orquiva_core::department::{Department, NewDepartment, key};
use orquiva_core::event::NewEvent;
use orquiva_core::id::{CompanyId, DepartmentId, EmployeeId};

use crate::sql::{Sql, sql};
use crate::{Arg, Row, StoreError, Tx, args, event};

/// As much of a department as an employee shows.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its id.
    pub id: DepartmentId,
    /// Its name, as it is written.
    pub name: String,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Directly under this department.
    pub parent: Option<DepartmentId>,
    /// Of this name, by its folded form.
    pub name: Option<String>,
    /// Of this code.
    pub code: Option<String>,
}

/// The department of that name, by the folded form of it. It keeps name and being until the transaction ends,
/// so whoever is put into it is in the one that was meant.
pub async fn by_name(tx: &Tx, company: CompanyId, key: &str) -> Result<Option<Named>, StoreError> {
    // SQLite has one writer.
    let sql = sql!(
        sqlite "select id, name from department where company_id = $1 and name_key = $2",
        postgres "select id, name from department where company_id = $1 and name_key = $2 for share"
    );
    tx.first(sql, args![company, key], read_named).await
}

/// The department of that id, which keeps name and being until the transaction ends.
pub async fn by_id(tx: &Tx, company: CompanyId, id: DepartmentId) -> Result<Option<Named>, StoreError> {
    let sql = sql!(
        sqlite "select id, name from department where company_id = $1 and id = $2",
        postgres "select id, name from department where company_id = $1 and id = $2 for share"
    );
    tx.first(sql, args![company, id], read_named).await
}

/// The names of a company's departments, as far as a refusal looks through them.
pub async fn names(tx: &Tx, company: CompanyId) -> Result<Vec<String>, StoreError> {
    let sql = sql!("select name from department where company_id = $1 order by name_key limit 2000");
    tx.all(sql, args![company], |row| row.text(0)).await
}

/// A company's departments by their names, as many as someone looks through.
pub async fn named(tx: &Tx, company: CompanyId) -> Result<Vec<Named>, StoreError> {
    let sql = sql!("select id, name from department where company_id = $1 order by name_key limit 1000");
    tx.all(sql, args![company], read_named).await
}

/// Inserts a department and writes down what `told` tells of it, unless there is one of that name; whether it did. A code
/// that is taken is refused. Both travel together: who finds the department finds it announced.
pub async fn insert(
    tx: &Tx,
    company: CompanyId,
    department: &Department,
    told: &NewEvent,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "insert into department
            (company_id, id, name, name_key, code, parent_id, lead_ids, version, updated_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (company_id, name_key) do nothing"
    );
    let mut args = columns(company, department);
    args.push(department.created_at.into());
    let announced = event::announce_of_department(tx, company, department.id, told);
    let (inserted, ()) = tokio::try_join!(biased; tx.run(sql, &args), announced)?;
    let inserted = inserted > 0;
    if inserted {
        insert_leads(tx, company, department).await?;
    }
    Ok(inserted)
}

/// Stores `department` over its former self.
pub async fn update(tx: &Tx, company: CompanyId, department: &Department) -> Result<(), StoreError> {
    let sql = sql!(
        "update department set name = $3, name_key = $4, code = $5, parent_id = $6, lead_ids = $7, version = $8,
            updated_at = $9
          where company_id = $1 and id = $2"
    );
    match tx.run(sql, &columns(company, department)).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// Stores the leads of `department` in place of those that it had.
pub async fn replace_leads(tx: &Tx, company: CompanyId, department: &Department) -> Result<(), StoreError> {
    delete_leads(tx, company, department.id).await?;
    insert_leads(tx, company, department).await
}

/// Removes a department. Who is in it, or stands under it, is the caller's affair.
pub async fn delete(tx: &Tx, company: CompanyId, id: DepartmentId) -> Result<(), StoreError> {
    delete_leads(tx, company, id).await?;
    let sql = sql!("delete from department where company_id = $1 and id = $2");
    match tx.run(sql, args![company, id]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// One department.
pub async fn get(tx: &Tx, company: CompanyId, id: DepartmentId) -> Result<Department, StoreError> {
    let sql = sql!(
        "select id, name, code, parent_id, lead_ids, version, created_at, updated_at
           from department where company_id = $1 and id = $2"
    );
    tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)
}

/// Those of `ids` that exist.
pub async fn some(tx: &Tx, company: CompanyId, ids: &[DepartmentId]) -> Result<Vec<Department>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sql!(
        sqlite "select id, name, code, parent_id, lead_ids, version, created_at, updated_at from department
                 where company_id = $1 and id in (select value from json_each($2))",
        postgres "select id, name, code, parent_id, lead_ids, version, created_at, updated_at from department
                   where company_id = $1 and id = any (array(select json_array_elements_text($2::text::json)))"
    );
    let ids = serde_json::to_string(ids).map_err(StoreError::broken)?;
    tx.all(sql, args![company, ids], read).await
}

/// One department, which nobody else changes, and into which nobody is put, until the transaction ends.
pub async fn hold(tx: &Tx, company: CompanyId, id: DepartmentId) -> Result<Department, StoreError> {
    let sql = sql!(
        sqlite "select id, name, code, parent_id, lead_ids, version, created_at, updated_at
                  from department where company_id = $1 and id = $2",
        postgres "select id, name, code, parent_id, lead_ids, version, created_at, updated_at
                    from department where company_id = $1 and id = $2 for update"
    );
    tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)
}

/// Up to `limit` departments of a company that match `filter`, the oldest first, after `after`.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    filter: &Filter,
    after: Option<DepartmentId>,
    limit: i64,
) -> Result<Vec<Department>, StoreError> {
    let mut text = String::from(
        "select id, name, code, parent_id, lead_ids, version, created_at, updated_at
           from department where company_id = $1",
    );
    let mut args = args![company].to_vec();
    let mut and = |condition: &str, value: Arg<'static>| {
        args.push(value);
        text.push_str(&format!(" and {condition} ${}", args.len()));
    };
    if let Some(parent) = filter.parent {
        and("parent_id =", parent.into());
    }
    if let Some(name) = &filter.name {
        and("name_key =", name.clone().into());
    }
    if let Some(code) = &filter.code {
        and("code =", code.clone().into());
    }
    if let Some(after) = after {
        and("id >", after.into());
    }
    args.push(limit.into());
    text.push_str(&format!(" order by id limit ${}", args.len()));
    tx.all(&Sql::made(text), &args, read).await
}

/// Keeps other nodes from changing the shape of a company's tree until this transaction ends.
pub async fn lock_tree(tx: &Tx, company: CompanyId) -> Result<(), StoreError> {
    // SQLite has one process and one writer.
    let sql = sql!(
        sqlite "select 1 where $1 <> ''",
        postgres "select 1 from (select pg_advisory_xact_lock(hashtextextended($1, 7126))) tree"
    );
    tx.all(sql, args![company], |_| Ok(())).await.map(drop)
}

/// A department and all that it stands under, up to a root; nothing if there is no such department.
pub async fn way_up(tx: &Tx, company: CompanyId, id: DepartmentId) -> Result<Vec<DepartmentId>, StoreError> {
    // `union` ends also in a circle, which there never is.
    let sql = sql!(
        "with recursive way (id, parent_id) as (
             select id, parent_id from department where company_id = $1 and id = $2
             union
             select above.id, above.parent_id from department above join way on above.id = way.parent_id
              where above.company_id = $1)
         select id from way"
    );
    tx.all(sql, args![company, id], |row| row.id(0)).await
}

/// The departments directly under one.
pub async fn children(
    tx: &Tx,
    company: CompanyId,
    parent: DepartmentId,
) -> Result<Vec<Department>, StoreError> {
    let sql = sql!(
        "select id, name, code, parent_id, lead_ids, version, created_at, updated_at
           from department where company_id = $1 and parent_id = $2 order by id"
    );
    tx.all(sql, args![company, parent], read).await
}

/// How many people are in a department, and how many departments stand directly under it.
pub async fn use_of(tx: &Tx, company: CompanyId, id: DepartmentId) -> Result<(i64, i64), StoreError> {
    let sql = sql!(
        "select (select count(*) from employee where company_id = $1 and department_id = $2),
                (select count(*) from department where company_id = $1 and parent_id = $2)"
    );
    let counted = tx.first(sql, args![company, id], |row| Ok((row.int(0)?, row.int(1)?))).await?;
    Ok(counted.unwrap_or_default())
}

/// How many people who have not left are in each department; who is in none counts under none.
pub async fn heads(tx: &Tx, company: CompanyId) -> Result<Vec<(Option<DepartmentId>, i64)>, StoreError> {
    // Two walks along indexes that read no row: everyone, and those who have left.
    let sql = sql!(
        "select department_id, cast(sum(heads) as bigint) from
            (select department_id, count(*) as heads from employee where company_id = $1 group by department_id
              union all
             select department_id, -count(*) from employee
              where company_id = $1 and status = 'terminated' group by department_id) counted
          group by department_id"
    );
    tx.all(sql, args![company], |row| Ok((row.opt_id(0)?, row.int(1)?))).await
}

/// The departments that an employee leads.
pub async fn led_by(tx: &Tx, company: CompanyId, lead: EmployeeId) -> Result<Vec<DepartmentId>, StoreError> {
    let sql = sql!(
        "select department_id from department_lead where company_id = $1 and employee_id = $2
          order by department_id"
    );
    tx.all(sql, args![company, lead], |row| row.id(0)).await
}

async fn insert_leads(tx: &Tx, company: CompanyId, department: &Department) -> Result<(), StoreError> {
    let sql =
        sql!("insert into department_lead (company_id, employee_id, department_id) values ($1, $2, $3)");
    let leads = department.shape.lead_ids.iter();
    let rows: Vec<_> = leads.map(|lead| args![company, *lead, department.id].to_vec()).collect();
    tx.run_each(sql, &rows).await
}

async fn delete_leads(tx: &Tx, company: CompanyId, id: DepartmentId) -> Result<(), StoreError> {
    let sql = sql!("delete from department_lead where company_id = $1 and department_id = $2");
    tx.run(sql, args![company, id]).await.map(drop)
}

/// The columns that insert and update share.
fn columns(company: CompanyId, department: &Department) -> Vec<Arg<'_>> {
    let NewDepartment { name, code, parent_id, lead_ids } = &department.shape;
    let leads = serde_json::to_string(lead_ids).expect("a list of ids is always JSON");
    args![
        company,
        department.id,
        name,
        key(name),
        code,
        *parent_id,
        leads,
        department.version,
        department.updated_at,
    ]
    .to_vec()
}

fn read_named(row: &Row<'_>) -> Result<Named, StoreError> {
    Ok(Named { id: row.id(0)?, name: row.text(1)? })
}

fn read(row: &Row<'_>) -> Result<Department, StoreError> {
    let leads: Vec<String> = serde_json::from_str(&row.text(4)?).map_err(StoreError::broken)?;
    let lead = |text: &String| {
        EmployeeId::parse(text).ok_or_else(|| StoreError::broken(format!("`{text}` is no employee's id")))
    };
    Ok(Department {
        id: row.id(0)?,
        shape: NewDepartment {
            name: row.text(1)?,
            code: row.opt_text(2)?,
            parent_id: row.opt_id(3)?,
            lead_ids: leads.iter().map(lead).collect::<Result<_, _>>()?,
        },
        version: row.int(5)?,
        created_at: row.time(6)?,
        updated_at: row.time(7)?,
    })
}
