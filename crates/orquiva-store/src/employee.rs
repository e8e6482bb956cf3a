//! Employees and their references to other systems.

mod chart;
mod coverage;
mod list;
mod word;

use std::collections::{BTreeMap, BTreeSet};

use orquiva_core::custom_field::CustomValues;
use orquiva_core::employee::{Country, Email, Employee, EmploymentType, Gender, Profile, Sensitive, Status};
use orquiva_core::id::{CompanyId, DepartmentId, EmployeeId};
use orquiva_core::search::{location_key, name_key, words_of};
use orquiva_core::{Date, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::custom_field;
use crate::sql::sql;
use crate::{Arg, Row, StoreError, Tx, args};

pub use chart::{Standing, below, counts, named, tops};
pub use coverage::{Coverage, coverage};
pub use list::{Filter, Order, Place, Sort, list};

/// Inserts an employee with its references and the words that find it. Nothing has been looked up before: the database
/// refuses duplicates.
pub async fn insert(tx: &Tx, employee: &Employee) -> Result<(), StoreError> {
    insert_all(tx, employee.company_id, std::slice::from_ref(employee)).await
}

/// Inserts several employees of a company as [`insert`] does, without waiting between them.
pub async fn insert_all(tx: &Tx, company: CompanyId, employees: &[Employee]) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into employee (company_id, id, full_name, first_name, last_name, second_last_name, preferred_name,
            email, email_key, phone, employee_number, status, start_date, job_title, employment_type, location,
            department_id, external_refs, version, original_hire_date, end_date, termination_reason, manager_id,
            personal_email, birth_date, gender, nationality, national_id, home_address, due_on, former, name_key,
            location_key, words, custom_fields, sensitive_custom_fields, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
            $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38)"
    );
    let words: Vec<_> = employees.iter().map(|employee| words_of(&employee.profile)).collect();
    let row = |(employee, words): (_, &BTreeSet<String>)| {
        let mut args = columns(employee, words);
        args.extend([Arg::from(employee.created_at), Arg::from(employee.updated_at)]);
        args
    };
    let rows: Vec<_> = employees.iter().zip(&words).map(row).collect();
    let ways = employees.iter().zip(&words);
    let ways = ways.flat_map(|(employee, words)| words.iter().map(|word| (word, employee.id))).collect();
    let words = word::insert(tx, company, ways);
    tokio::try_join!(biased; tx.run_each(sql, &rows), words, insert_refs(tx, employees)).map(drop)
}

/// Stores `employee` over `before`, if that is still what is stored.
pub async fn update(tx: &Tx, employee: &Employee, before: &Employee) -> Result<(), StoreError> {
    let sql = sql!(
        "update employee set full_name = $3, first_name = $4, last_name = $5, second_last_name = $6,
            preferred_name = $7, email = $8, email_key = $9, phone = $10, employee_number = $11, status = $12,
            start_date = $13, job_title = $14, employment_type = $15, location = $16, department_id = $17,
            external_refs = $18, version = $19, original_hire_date = $20, end_date = $21, termination_reason = $22,
            manager_id = $23, personal_email = $24, birth_date = $25, gender = $26, nationality = $27,
            national_id = $28, home_address = $29, due_on = $30, former = $31, name_key = $32, location_key = $33,
            words = $34, custom_fields = $35, sensitive_custom_fields = $36, updated_at = $37
          where company_id = $1 and id = $2 and version = $38"
    );
    let (words, former) = (words_of(&employee.profile), words_of(&before.profile));
    let mut args = columns(employee, &words);
    args.extend([Arg::from(employee.updated_at), Arg::from(before.version)]);
    if tx.run(sql, &args).await? == 0 {
        return Err(StoreError::NotFound);
    }
    word::delete(tx, before, former.difference(&words)).await?;
    let ways = words.difference(&former).map(|word| (word, employee.id)).collect();
    word::insert(tx, employee.company_id, ways).await
}

/// Stores the references of `employee` in place of those that it had.
pub async fn replace_refs(tx: &Tx, employee: &Employee) -> Result<(), StoreError> {
    delete_refs(tx, employee.company_id, employee.id).await?;
    insert_refs(tx, std::slice::from_ref(employee)).await
}

/// Keeps other nodes from changing who reports to whom in a company until this transaction ends: two changes at
/// the same time, each right for itself, could close a circle.
pub async fn lock_managers(tx: &Tx, company: CompanyId) -> Result<(), StoreError> {
    // SQLite has one process and one writer.
    let sql = sql!(
        sqlite "select 1 where $1 is not null",
        postgres "select 1 from (select pg_advisory_xact_lock(741802, hashtext($1))) managers"
    );
    tx.all(sql, args![company], |_| Ok(())).await.map(drop)
}

/// `id` and all whom that employee reports to, the nearest first: nothing if there is nobody of that id.
pub async fn chain(tx: &Tx, company: CompanyId, id: EmployeeId) -> Result<Vec<EmployeeId>, StoreError> {
    let sql = sql!(
        "with recursive chain (id, manager_id, depth) as
             (select id, manager_id, 0 from employee where company_id = $1 and id = $2
               union all
              select e.id, e.manager_id, chain.depth + 1
                from chain join employee e on e.company_id = $1 and e.id = chain.manager_id
               where chain.depth < 10000)
         select id from chain order by depth"
    );
    tx.all(sql, args![company, id], |row| row.id(0)).await
}

/// All who report directly to `manager`.
pub async fn reports(
    tx: &Tx,
    company: CompanyId,
    manager: EmployeeId,
) -> Result<Vec<EmployeeId>, StoreError> {
    let sql = sql!("select id from employee where company_id = $1 and manager_id = $2 order by id");
    tx.all(sql, args![company, manager], |row| row.id(0)).await
}

/// Up to `limit` employees of all companies for whom something falls due on the day `today` or before.
pub async fn due(tx: &Tx, today: Date, limit: i64) -> Result<Vec<(CompanyId, EmployeeId)>, StoreError> {
    let sql = sql!("select company_id, id from employee where due_on <= $1 order by due_on limit $2");
    tx.all(sql, args![today, limit], |row| Ok((row.id(0)?, row.id(1)?))).await
}

/// Up to `limit` employees who report to `manager`, directly or (if `all`) through others, in the order of their
/// ids, after `after`.
pub async fn list_reports(
    tx: &Tx,
    company: CompanyId,
    (manager, all): (EmployeeId, bool),
    after: Option<EmployeeId>,
    limit: i64,
) -> Result<Vec<Employee>, StoreError> {
    if !all {
        let filter = Filter { managers: vec![manager], ..Filter::default() };
        let place = after.map(|id| Place { id, key: String::new() });
        return list(tx, company, &filter, Sort::default(), place.as_ref(), limit).await;
    }
    let through_others = sql!(
        "with recursive below (id) as
             (select id from employee where company_id = $1 and manager_id = $2
               union
              select e.id from below join employee e on e.company_id = $1 and e.manager_id = below.id)
         select e.company_id, e.id, e.full_name, e.first_name, e.last_name, e.second_last_name, e.preferred_name,
                e.email, e.phone, e.employee_number, e.status, e.start_date, e.job_title, e.employment_type, e.location,
                e.department_id, d.name, e.external_refs, e.version, e.created_at, e.updated_at, e.original_hire_date,
                e.end_date, e.termination_reason, e.manager_id, e.personal_email, e.birth_date, e.gender,
                e.nationality, e.national_id, e.home_address, e.due_on, e.former, e.custom_fields,
                e.sensitive_custom_fields
           from below join employee e on e.company_id = $1 and e.id = below.id
                left join department d on d.company_id = e.company_id and d.id = e.department_id
          where below.id > $3 order by below.id limit $4"
    );
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    tx.all(through_others, args![company, manager, after, limit], read).await
}

/// Removes an employee with its references and words, if that is still what is stored.
pub async fn delete(tx: &Tx, employee: &Employee) -> Result<(), StoreError> {
    let sql = sql!("delete from employee where company_id = $1 and id = $2 and version = $3");
    delete_refs(tx, employee.company_id, employee.id).await?;
    word::delete(tx, employee, &words_of(&employee.profile)).await?;
    match tx.run(sql, args![employee.company_id, employee.id, employee.version]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// One employee.
pub async fn get(tx: &Tx, company: CompanyId, id: EmployeeId) -> Result<Employee, StoreError> {
    let sql = sql!(
        "select e.company_id, e.id, e.full_name, e.first_name, e.last_name, e.second_last_name, e.preferred_name,
                e.email, e.phone, e.employee_number, e.status, e.start_date, e.job_title, e.employment_type, e.location,
                e.department_id, d.name, e.external_refs, e.version, e.created_at, e.updated_at, e.original_hire_date,
                e.end_date, e.termination_reason, e.manager_id, e.personal_email, e.birth_date, e.gender,
                e.nationality, e.national_id, e.home_address, e.due_on, e.former, e.custom_fields,
                e.sensitive_custom_fields
           from employee e left join department d on d.company_id = e.company_id and d.id = e.department_id
          where e.company_id = $1 and e.id = $2"
    );
    tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)
}

/// As much of an employee as another one shows of whom they report to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Its id.
    pub id: EmployeeId,
    /// The whole name.
    pub full_name: String,
    /// Work e-mail.
    pub email: String,
}

/// Those of `ids` who exist.
pub async fn people(tx: &Tx, company: CompanyId, ids: &[EmployeeId]) -> Result<Vec<Person>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sql!(
        sqlite "select id, full_name, email from employee
                 where company_id = $1 and id in (select value from json_each($2))",
        postgres "select id, full_name, email from employee
                   where company_id = $1 and id = any (array(select json_array_elements_text($2::text::json)))"
    );
    let read = |row: &Row<'_>| Ok(Person { id: row.id(0)?, full_name: row.text(1)?, email: row.text(2)? });
    tx.all(sql, args![company, to_json(&ids)], read).await
}

/// The employee that has this reference, if anyone does.
pub async fn by_ref(
    tx: &Tx,
    company: CompanyId,
    system: &str,
    value: &str,
) -> Result<Option<EmployeeId>, StoreError> {
    let sql =
        sql!("select employee_id from external_ref where company_id = $1 and system = $2 and value = $3");
    tx.first(sql, args![company, system, value], |row| row.id(0)).await
}

/// Those of `ids` who exist, and go on existing until the transaction ends.
pub async fn existing(
    tx: &Tx,
    company: CompanyId,
    ids: &[EmployeeId],
) -> Result<Vec<EmployeeId>, StoreError> {
    let sql = sql!(
        sqlite "select id from employee
                 where company_id = $1 and id in (select value from json_each($2))",
        postgres "select id from employee
                   where company_id = $1 and id = any (array(select json_array_elements_text($2::text::json)))
                     for key share"
    );
    let ids = serde_json::to_string(ids).map_err(StoreError::broken)?;
    tx.all(sql, args![company, ids], |row| row.id(0)).await
}

/// Counts a change for everyone of a department, which keeps others from changing them until the transaction
/// ends; returns how many they are.
pub async fn touch_all(
    tx: &Tx,
    company: CompanyId,
    department: DepartmentId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let sql = sql!(
        "update employee set version = version + 1, updated_at = $3 where company_id = $1 and department_id = $2"
    );
    tx.run(sql, args![company, department, now]).await
}

/// Moves everyone of a department to another one.
pub async fn move_all(
    tx: &Tx,
    company: CompanyId,
    from: DepartmentId,
    to: DepartmentId,
) -> Result<(), StoreError> {
    let sql = sql!("update employee set department_id = $3 where company_id = $1 and department_id = $2");
    tx.run(sql, args![company, from, to]).await.map(drop)
}

async fn insert_refs(tx: &Tx, employees: &[Employee]) -> Result<(), StoreError> {
    let sql =
        sql!("insert into external_ref (company_id, system, value, employee_id) values ($1, $2, $3, $4)");
    let rows = employees.iter().flat_map(|employee| {
        let row = |(system, value)| args![employee.company_id, system, value, employee.id].to_vec();
        employee.profile.external_refs.iter().map(row)
    });
    tx.run_each(sql, &rows.collect::<Vec<_>>()).await
}

async fn delete_refs(tx: &Tx, company: CompanyId, id: EmployeeId) -> Result<(), StoreError> {
    let sql = sql!("delete from external_ref where company_id = $1 and employee_id = $2");
    tx.run(sql, args![company, id]).await.map(drop)
}

/// The columns that insert and update share, but for the times.
fn columns<'e>(employee: &'e Employee, words: &BTreeSet<String>) -> Vec<Arg<'e>> {
    let Employee { profile, sensitive, .. } = employee;
    args![
        employee.company_id,
        employee.id,
        &profile.full_name,
        &profile.first_name,
        &profile.last_name,
        &profile.second_last_name,
        &profile.preferred_name,
        profile.email.as_str(),
        profile.email.key(),
        &profile.phone,
        &profile.employee_number,
        profile.status.as_str(),
        profile.start_date,
        &profile.job_title,
        profile.employment_type.map(EmploymentType::as_str),
        &profile.location,
        employee.department_id,
        refs_to_json(&profile.external_refs),
        employee.version,
        employee.original_hire_date,
        employee.end_date,
        &employee.termination_reason,
        profile.manager_id,
        sensitive.personal_email.as_ref().map(Email::as_str),
        sensitive.birth_date,
        sensitive.gender.map(Gender::as_str),
        sensitive.nationality.map(Country::as_str),
        sensitive.national_id.as_ref().map(to_json),
        sensitive.home_address.as_ref().map(to_json),
        employee.due_on,
        employee.former.as_ref().map(to_json),
        name_key(&profile.full_name),
        profile.location.as_deref().map(location_key),
        word::in_row(words),
        custom_field::stored(&employee.custom_fields.open),
        custom_field::stored(&employee.custom_fields.sensitive),
    ]
    .to_vec()
}

fn refs_to_json(refs: &BTreeMap<String, String>) -> String {
    serde_json::to_string(refs).expect("a map of strings is always JSON")
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our own types are always JSON")
}

fn from_json<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>, StoreError> {
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(StoreError::broken)
}

fn read(row: &Row<'_>) -> Result<Employee, StoreError> {
    let email = row.text(7)?;
    let status = row.text(10)?;
    let refs = row.text(17)?;
    let stored = |what: &str| StoreError::broken(format!("an employee has an unreadable {what}"));
    Ok(Employee {
        company_id: row.id(0)?,
        id: row.id(1)?,
        profile: Profile {
            full_name: row.text(2)?,
            first_name: row.opt_text(3)?,
            last_name: row.opt_text(4)?,
            second_last_name: row.opt_text(5)?,
            preferred_name: row.opt_text(6)?,
            email: Email::parse(&email).ok_or_else(|| stored("email"))?,
            phone: row.opt_text(8)?,
            employee_number: row.opt_text(9)?,
            status: Status::parse(&status).ok_or_else(|| stored("status"))?,
            start_date: row.opt_date(11)?,
            manager_id: row.opt_id(24)?,
            job_title: row.opt_text(12)?,
            employment_type: row.opt_text(13)?.as_deref().and_then(EmploymentType::parse),
            location: row.opt_text(14)?,
            external_refs: match refs.as_str() {
                "{}" => BTreeMap::new(),
                refs => serde_json::from_str(refs).map_err(StoreError::broken)?,
            },
        },
        department_id: row.opt_id(15)?,
        department: row.opt_text(16)?,
        version: row.int(18)?,
        created_at: row.time(19)?,
        updated_at: row.time(20)?,
        original_hire_date: row.opt_date(21)?,
        end_date: row.opt_date(22)?,
        termination_reason: row.opt_text(23)?,
        sensitive: Sensitive {
            personal_email: row.opt_text(25)?.as_deref().and_then(Email::parse),
            birth_date: row.opt_date(26)?,
            gender: row.opt_text(27)?.as_deref().and_then(Gender::parse),
            nationality: row.opt_text(28)?.as_deref().and_then(Country::parse),
            national_id: from_json(row.opt_text(29)?)?,
            home_address: from_json(row.opt_text(30)?)?,
        },
        due_on: row.opt_date(31)?,
        former: from_json(row.opt_text(32)?)?,
        custom_fields: CustomValues {
            open: from_json(row.opt_text(33)?)?.unwrap_or_default(),
            sensitive: from_json(row.opt_text(34)?)?.unwrap_or_default(),
        },
    })
}
