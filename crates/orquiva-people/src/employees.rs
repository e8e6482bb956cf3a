//! The verbs about employees.

use orquiva_core::custom_field::CustomValues;
use orquiva_core::event::EventType;
use orquiva_core::id::EmployeeId;
use orquiva_core::{Employee, NewEmployee};
use orquiva_store::{Tx, employee};
use serde_json::Value;

use crate::custom_fields;
use crate::departments::{self, find_or_create};
use crate::managers;
use crate::pen::{Pen, Refusal, announce_employee};
use crate::store::store;

/// Hires someone and announces it as `employee.created`: both are stored, or neither is.
pub async fn hire(tx: &Tx, pen: &Pen, new: NewEmployee) -> Result<Employee, Refusal> {
    let department = find_or_create(tx, pen, &new).await?;
    if let Some(manager) = new.profile.manager_id {
        managers::check(tx, pen, None, manager).await?;
    }
    let custom_fields = custom_fields::read(tx, pen, new.custom_fields, CustomValues::default()).await?;
    let mut hired = Employee {
        id: pen.mint.next(),
        company_id: pen.company,
        original_hire_date: new.profile.start_date,
        end_date: None,
        termination_reason: None,
        profile: new.profile,
        department_id: department.as_ref().map(|department| department.id),
        department: department.map(|department| department.name),
        custom_fields,
        version: 1,
        created_at: pen.now,
        updated_at: pen.now,
        sensitive: new.sensitive,
        due_on: None,
        former: None,
    };
    hired.due_on = hired.falls_due(false, pen.now.date());
    // One round trip: if the row is refused, so is the event.
    let announced = announce_employee(tx, pen, EventType::EmployeeCreated, &hired, None);
    tokio::try_join!(biased; employee::insert(tx, &hired), announced)?;
    Ok(hired)
}

/// Changes an employee by a merge patch (RFC 7396) and announces what changed as `employee.updated`.
/// A patch that changes nothing announces nothing. `holds` says whether the present version is the one
/// that the caller believes it to be.
pub async fn change(
    tx: &Tx,
    pen: &Pen,
    id: EmployeeId,
    patch: &Value,
    holds: impl FnOnce(&Employee) -> bool,
) -> Result<Employee, Refusal> {
    let before = employee::get(tx, pen.company, id).await?;
    if !holds(&before) {
        return Err(Refusal::Stale);
    }
    let new = NewEmployee::patched(&before, patch, pen.now.date()).map_err(Refusal::Fields)?;
    managers::check_change(tx, pen, &before, &new).await?;
    let mut after = Employee {
        original_hire_date: before.first_day(new.profile.start_date),
        profile: new.profile.clone(),
        sensitive: new.sensitive.clone(),
        custom_fields: custom_fields::read(tx, pen, new.custom_fields.clone(), before.custom_fields.clone())
            .await?,
        ..before.clone()
    };
    if (new.department_id, &new.department) != (before.department_id, &before.department) {
        let department = find_or_create(tx, pen, &new).await?;
        after.department_id = department.as_ref().map(|department| department.id);
        after.department = department.map(|department| department.name);
    }
    store(tx, pen, EventType::EmployeeUpdated, after, before).await
}

/// Removes an employee and announces it, with all that was known, as `employee.deleted`. Who reported to them
/// reports to nobody from now on, which is announced for each of them.
pub async fn remove(
    tx: &Tx,
    pen: &Pen,
    id: EmployeeId,
    holds: impl FnOnce(&Employee) -> bool,
) -> Result<(), Refusal> {
    let before = employee::get(tx, pen.company, id).await?;
    if !holds(&before) {
        return Err(Refusal::Stale);
    }
    managers::release_reports(tx, pen, id).await?;
    employee::delete(tx, &before).await?;
    departments::forget_lead(tx, pen, id).await?;
    announce_employee(tx, pen, EventType::EmployeeDeleted, &before, None).await?;
    Ok(())
}
