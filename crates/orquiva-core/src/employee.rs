//! An employee, as the API shows it and as a client writes it.

mod country;
mod email;
mod end;
mod national_id;
mod new;
mod sensitive;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::custom_field::CustomValues;
use crate::field;
use crate::id::{CompanyId, DepartmentId, EmployeeId};
use crate::{Date, Timestamp};

pub use country::Country;
pub use email::Email;
pub use end::Termination;
pub use national_id::NationalId;
pub use new::{NewEmployee, valid_system};
pub use sensitive::{Address, SENSITIVE, Sensitive};
pub use words::{EmploymentType, Gender, NationalIdType, Status};

/// Every field that an employee shows, in order, but for the [`SENSITIVE`] ones.
pub const FIELDS: &[&str] = &[
    "id",
    "companyId",
    "fullName",
    "firstName",
    "lastName",
    "secondLastName",
    "preferredName",
    "email",
    "phone",
    "employeeNumber",
    "status",
    "startDate",
    "managerId",
    "jobTitle",
    "employmentType",
    "location",
    "external_refs",
    "originalHireDate",
    "endDate",
    "terminationReason",
    "department",
    "departmentId",
    "customFields",
    "version",
    "createdAt",
    "updatedAt",
];

/// Someone who works for a company. Its JSON is both the API's answer and the event's `data`, for those who may
/// not see the sensitive part; that is added where someone may.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Employee {
    /// Its id, never used again.
    pub id: EmployeeId,
    /// Whose employee it is.
    pub company_id: CompanyId,
    /// What the client writes.
    #[serde(flatten)]
    pub profile: Profile,
    /// The first of all first days; a rehire leaves it as it is.
    pub original_hire_date: Option<Date>,
    /// The day on which the employment ends or ended.
    pub end_date: Option<Date>,
    /// Why it ends or ended.
    pub termination_reason: Option<String>,
    /// The department's name.
    pub department: Option<String>,
    /// The department's id.
    pub department_id: Option<DepartmentId>,
    /// The values of the fields that the company has added.
    pub custom_fields: CustomValues,
    /// Counts the changes, from 1; the `ETag` shows it.
    pub version: i64,
    /// When it was hired here.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// What only some may see.
    #[serde(skip)]
    pub sensitive: Sensitive,
    /// The day on which what lies ahead is carried out: the first day, or the end.
    #[serde(skip)]
    pub due_on: Option<Date>,
    /// How the employment stood before what lies ahead was decided, for when it is cancelled.
    #[serde(skip)]
    pub former: Option<Employment>,
}

/// The part of an employee that a client writes, but for the department and what is sensitive.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The whole name.
    pub full_name: String,
    /// Given name.
    pub first_name: Option<String>,
    /// First surname.
    pub last_name: Option<String>,
    /// Second surname, where there is one.
    pub second_last_name: Option<String>,
    /// What colleagues call them.
    pub preferred_name: Option<String>,
    /// Work e-mail, unique in the company.
    pub email: Email,
    /// Work telephone, E.164.
    pub phone: Option<String>,
    /// The number in payroll, unique in the company.
    pub employee_number: Option<String>,
    /// Where they stand.
    pub status: Status,
    /// First day of work.
    pub start_date: Option<Date>,
    /// Whom they report to.
    pub manager_id: Option<EmployeeId>,
    /// What they do.
    pub job_title: Option<String>,
    /// The kind of contract.
    pub employment_type: Option<EmploymentType>,
    /// Where they work.
    pub location: Option<String>,
    /// The same person in other systems: system → id there. Each pair is unique in the company.
    #[serde(rename = "external_refs")]
    pub external_refs: BTreeMap<String, String>,
}

/// How an employment stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Employment {
    /// Where they stand.
    pub status: Status,
    /// First day of work.
    pub start_date: Option<Date>,
    /// The day on which it ends or ended.
    pub end_date: Option<Date>,
    /// Why.
    pub termination_reason: Option<String>,
}

/// In what an employee differs from its former self, version and time of change aside.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The names of the fields, sensitive ones among them.
    pub changed: Vec<String>,
    /// What they were, but for the sensitive ones.
    pub previous: Value,
    /// What the sensitive ones were.
    pub sensitive: Map<String, Value>,
}

impl Employee {
    /// The strong `ETag` of this version (RFC 9110 §8.8.3).
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    /// In what `self` differs from `before`.
    pub fn difference(&self, before: &Self) -> Difference {
        let (changed, mut previous) = field::difference(&json!(self), &json!(before));
        // A value whose field has become sensitive was open before, and is so no more.
        if let Some(Value::Object(open)) = previous.get_mut("customFields") {
            open.retain(|slug, _| !self.custom_fields.sensitive.contains_key(slug));
        }
        let mut difference = Difference { changed, previous, sensitive: Map::new() };
        if self.sensitive != before.sensitive {
            let (now, was) = (self.sensitive.to_map(), before.sensitive.to_map());
            for (name, was) in was {
                if now.get(&name) != Some(&was) {
                    difference.changed.push(name.clone());
                    difference.sensitive.insert(name, was);
                }
            }
        }
        let (now, was) = (&self.custom_fields, &before.custom_fields);
        if now.sensitive != was.sensitive && now.open == was.open {
            difference.changed.push("customFields".to_owned());
        }
        if now != was && !(now.sensitive.is_empty() && was.sensitive.is_empty()) {
            difference.sensitive.insert("customFields".to_owned(), json!(was.all()));
        }
        difference
    }

    /// The same employee with all its values in the open, for someone who may see them.
    #[must_use]
    pub fn with_all_values(&self) -> Self {
        let open = self.custom_fields.all();
        Self { custom_fields: CustomValues { open, ..CustomValues::default() }, ..self.clone() }
    }

    /// What of it is not in its JSON because only some may see it: whole fields by name, `customFields` with all
    /// its values. Empty if there is nothing.
    pub fn hidden(&self) -> Map<String, Value> {
        let mut hidden = match self.sensitive.is_empty() {
            true => Map::new(),
            false => self.sensitive.to_map(),
        };
        if !self.custom_fields.sensitive.is_empty() {
            hidden.insert("customFields".to_owned(), json!(self.custom_fields.all()));
        }
        hidden
    }

    /// The day on which what lies ahead of it is carried out; `waiting` says whether its first day was already
    /// waited for. Who was hired as beginning, on a day that is past, stays so until a client says otherwise.
    pub fn falls_due(&self, waiting: bool, today: Date) -> Option<Date> {
        match self.profile.status {
            Status::Onboarding => self.profile.start_date.filter(|start| waiting || *start > today),
            Status::Terminating => self.end_date,
            Status::Active | Status::OnLeave | Status::Terminated => None,
        }
    }

    /// The first of all first days, once the present one is `start`: it follows corrections of the first
    /// employment, and stays as it is from the second one on.
    pub fn first_day(&self, start: Option<Date>) -> Option<Date> {
        match self.original_hire_date == self.profile.start_date {
            true => start,
            false => self.original_hire_date,
        }
    }
}
