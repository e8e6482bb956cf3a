//! How full the fields of a company's employees are.

use orquiva_core::id::CompanyId;

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// The fields that not everyone has, in the order in which [`coverage`] counts them.
const COUNTED: &[&str] = &[
    "firstName",
    "lastName",
    "secondLastName",
    "preferredName",
    "phone",
    "employeeNumber",
    "startDate",
    "jobTitle",
    "employmentType",
    "location",
    "department",
    "external_refs",
    "originalHireDate",
    "endDate",
    "terminationReason",
    "managerId",
    "personalEmail",
    "birthDate",
    "gender",
    "nationality",
    "nationalId",
    "homeAddress",
    "customFields",
];

/// How many employees a company has, and how many of them have each field.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// How many there are.
    pub employees: i64,
    counts: Vec<i64>,
}

impl Coverage {
    /// How many have this field. What is not counted, everyone has.
    pub fn of(&self, field: &str) -> i64 {
        let field = if field == "departmentId" { "department" } else { field };
        let at = COUNTED.iter().position(|counted| *counted == field);
        at.and_then(|at| self.counts.get(at).copied()).unwrap_or(self.employees)
    }
}

/// Counts, in one walk over the company's employees.
pub async fn coverage(tx: &Tx, company: CompanyId) -> Result<Coverage, StoreError> {
    let sql = sql!(
        "select count(*), count(first_name), count(last_name), count(second_last_name), count(preferred_name),
                count(phone), count(employee_number), count(start_date), count(job_title), count(employment_type),
                count(location), count(department_id), count(case when external_refs <> '{}' then 1 end),
                count(original_hire_date), count(end_date), count(termination_reason), count(manager_id),
                count(personal_email), count(birth_date), count(gender), count(nationality), count(national_id),
                count(home_address), count(custom_fields)
           from employee where company_id = $1"
    );
    let read = |row: &Row<'_>| {
        let counts = (1..=COUNTED.len()).map(|column| row.int(column)).collect::<Result<_, _>>()?;
        Ok(Coverage { employees: row.int(0)?, counts })
    };
    Ok(tx.first(sql, args![company], read).await?.unwrap_or_default())
}
