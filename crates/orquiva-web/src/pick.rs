//! What a reader wants to see of employees: which of their fields, and those whom and what they name.

use std::borrow::Cow;
use std::collections::HashMap;

use orquiva_core::employee::{Employee, FIELDS, SENSITIVE};
use orquiva_core::id::{CompanyId, DepartmentId, EmployeeId};
use orquiva_core::{Department, Fault, Scope, field};
use orquiva_store::employee::{self, Person};
use orquiva_store::{StoreError, Tx, department};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::answer::{Answer, to_json};
use crate::caller::Caller;
use crate::params::{Params, several};
use crate::problem::Problem;
use crate::view::View;

/// What can be shown beside the fields.
pub(crate) const BESIDE: &[&str] = &["manager", "department"];

/// What is wanted: all fields or the picked ones and the id, and what goes beside them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pick {
    fields: Option<Vec<&'static str>>,
    manager: bool,
    department: bool,
}

/// Whom and what some employees name.
#[derive(Default)]
pub(crate) struct Related {
    managers: HashMap<EmployeeId, Person>,
    departments: HashMap<DepartmentId, Department>,
}

impl Pick {
    /// Reads `fields` and `expand`.
    pub(crate) fn of(params: &mut Params) -> Self {
        let all = || FIELDS.iter().chain(SENSITIVE).copied();
        let known = |name: &str| {
            let found = all().find(|field| *field == name);
            found.ok_or_else(|| field::unknown(name, &all().collect::<Vec<_>>()))
        };
        let fields = params.take("fields", several(known));
        let beside = |name: &str| {
            let found = BESIDE.iter().find(|beside| **beside == name).copied();
            found.ok_or_else(|| Fault::NotAllowed { choices: BESIDE.join(", ") })
        };
        let expand = params.take("expand", several(beside)).unwrap_or_default();
        Self { fields, manager: expand.contains(&"manager"), department: expand.contains(&"department") }
    }

    /// Refuses a caller who may not see what goes beside the fields.
    pub(crate) fn must(&self, caller: &Caller) -> Result<(), Problem> {
        if self.department { caller.must(Scope::DepartmentsRead) } else { Ok(()) }
    }

    /// Fetches whom and what `found` name, as far as that is wanted: a statement each, however many they are.
    pub(crate) async fn related(
        &self,
        tx: &Tx,
        company: CompanyId,
        found: &[Employee],
    ) -> Result<Related, StoreError> {
        let mut related = Related::default();
        if self.manager {
            let ids: Vec<_> = found.iter().filter_map(|one| one.profile.manager_id).collect();
            let people = employee::people(tx, company, &ids).await?;
            related.managers = people.into_iter().map(|person| (person.id, person)).collect();
        }
        if self.department {
            let ids: Vec<_> = found.iter().filter_map(|one| one.department_id).collect();
            let departments = department::some(tx, company, &ids).await?;
            related.departments = departments.into_iter().map(|one| (one.id, one)).collect();
        }
        Ok(related)
    }

    /// One employee of a page.
    pub(crate) fn each<'a>(
        &'a self,
        view: &'a View,
        employee: &'a Employee,
        related: &'a Related,
    ) -> Shown<'a> {
        Shown { pick: self, view, employee: view.seen(employee), related, meta: None }
    }

    /// The answer with one employee. What goes beside it changes without it: then its version is no `ETag`.
    pub(crate) fn answer(&self, view: &View, employee: &Employee, related: &Related) -> Answer {
        let meta = self.hidden(view);
        let body = to_json(&Shown { meta, ..self.each(view, employee, related) });
        let etag = (!self.manager && !self.department).then(|| view.etag(employee));
        Answer { status: 200, etag, body, ..Answer::default() }
    }

    /// What of the wanted is hidden from the caller.
    pub(crate) fn hidden(&self, view: &View) -> Option<Meta> {
        let scope = Scope::EmployeesSensitiveRead.as_str();
        let hidden = view.names().filter(|name| self.wants(name.split('.').next().unwrap_or_default()));
        let redacted: Vec<_> = hidden.map(|field| Hidden { field, scope }).collect();
        (!redacted.is_empty()).then_some(Meta { redacted })
    }

    fn wants(&self, field: &str) -> bool {
        self.fields.as_ref().is_none_or(|fields| fields.contains(&field))
    }
}

/// What is said of what is hidden.
#[derive(Serialize)]
pub(crate) struct Meta {
    redacted: Vec<Hidden>,
}

#[derive(Serialize)]
struct Hidden {
    field: Cow<'static, str>,
    scope: &'static str,
}

/// An employee as it is written into an answer.
pub(crate) struct Shown<'a> {
    pick: &'a Pick,
    view: &'a View,
    employee: Cow<'a, Employee>,
    related: &'a Related,
    meta: Option<Meta>,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    employee: &'a Employee,
    #[serde(flatten)]
    sensitive: Option<&'a orquiva_core::employee::Sensitive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manager: Option<Option<&'a Person>>,
    #[serde(rename = "departmentDetails", skip_serializing_if = "Option::is_none")]
    department: Option<Option<Details<'a>>>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: &'a Option<Meta>,
}

/// What goes beside a department's name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    id: DepartmentId,
    name: &'a str,
    code: &'a Option<String>,
    parent_id: Option<DepartmentId>,
}

impl<'a> Shown<'a> {
    fn manager(&self) -> Option<Option<&'a Person>> {
        let id = self.employee.profile.manager_id;
        self.pick.manager.then(|| id.and_then(|id| self.related.managers.get(&id)))
    }

    fn department(&self) -> Option<Option<Details<'a>>> {
        let found = self.employee.department_id.and_then(|id| self.related.departments.get(&id));
        let details = |found: &'a Department| Details {
            id: found.id,
            name: &found.shape.name,
            code: &found.shape.code,
            parent_id: found.shape.parent_id,
        };
        self.pick.department.then(|| found.map(details))
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { pick, view, employee, meta, .. } = self;
        let (manager, department) = (self.manager(), self.department());
        let Some(_) = &pick.fields else {
            let sensitive = view.shows_sensitive().then_some(&employee.sensitive);
            return Whole { employee, sensitive, manager, department, meta }.serialize(serializer);
        };
        let mut map = serializer.serialize_map(None)?;
        for field in FIELDS.iter().filter(|field| **field == "id" || pick.wants(field)) {
            entry(&mut map, field, employee)?;
        }
        for field in SENSITIVE.iter().filter(|field| view.shows_sensitive() && pick.wants(field)) {
            sensitive_entry(&mut map, field, employee)?;
        }
        if let Some(manager) = manager {
            map.serialize_entry("manager", &manager)?;
        }
        if let Some(department) = department {
            map.serialize_entry("departmentDetails", &department)?;
        }
        if let Some(meta) = meta {
            map.serialize_entry("_meta", meta)?;
        }
        map.end()
    }
}

/// One field by its name; a test compares each with the whole.
fn entry<M: SerializeMap>(map: &mut M, field: &'static str, employee: &Employee) -> Result<(), M::Error> {
    let profile = &employee.profile;
    match field {
        "id" => map.serialize_entry(field, &employee.id),
        "companyId" => map.serialize_entry(field, &employee.company_id),
        "fullName" => map.serialize_entry(field, &profile.full_name),
        "firstName" => map.serialize_entry(field, &profile.first_name),
        "lastName" => map.serialize_entry(field, &profile.last_name),
        "secondLastName" => map.serialize_entry(field, &profile.second_last_name),
        "preferredName" => map.serialize_entry(field, &profile.preferred_name),
        "email" => map.serialize_entry(field, &profile.email),
        "phone" => map.serialize_entry(field, &profile.phone),
        "employeeNumber" => map.serialize_entry(field, &profile.employee_number),
        "status" => map.serialize_entry(field, &profile.status),
        "startDate" => map.serialize_entry(field, &profile.start_date),
        "managerId" => map.serialize_entry(field, &profile.manager_id),
        "jobTitle" => map.serialize_entry(field, &profile.job_title),
        "employmentType" => map.serialize_entry(field, &profile.employment_type),
        "location" => map.serialize_entry(field, &profile.location),
        "external_refs" => map.serialize_entry(field, &profile.external_refs),
        "originalHireDate" => map.serialize_entry(field, &employee.original_hire_date),
        "endDate" => map.serialize_entry(field, &employee.end_date),
        "terminationReason" => map.serialize_entry(field, &employee.termination_reason),
        "department" => map.serialize_entry(field, &employee.department),
        "departmentId" => map.serialize_entry(field, &employee.department_id),
        "customFields" => map.serialize_entry(field, &employee.custom_fields),
        "version" => map.serialize_entry(field, &employee.version),
        "createdAt" => map.serialize_entry(field, &employee.created_at),
        "updatedAt" => map.serialize_entry(field, &employee.updated_at),
        other => map.serialize_entry(field, &json!(employee)[other]), // dearer, and right all the same
    }
}

fn sensitive_entry<M: SerializeMap>(
    map: &mut M,
    field: &'static str,
    employee: &Employee,
) -> Result<(), M::Error> {
    map.serialize_entry(field, &json!(employee.sensitive)[field])
}
