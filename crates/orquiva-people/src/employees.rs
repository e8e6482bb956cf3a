//! The verbs about employees.

use orquiva_core::event::EventType;
use orquiva_core::id::EmployeeId;
use orquiva_core::{Employee, NewEmployee};
use orquiva_store::{StoreError, Tx, employee};
use serde_json::{Value, json};

use crate::departments::{self, find_or_create};
use crate::pen::{Pen, Refusal, announce};

/// Hires someone and announces it as `employee.created`: both are stored, or neither is.
pub async fn hire(tx: &Tx, pen: &Pen, new: NewEmployee) -> Result<Employee, Refusal> {
    let department = find_or_create(tx, pen, &new).await?;
    let hired = Employee {
        id: pen.mint.next(),
        company_id: pen.company,
        profile: new.profile,
        department_id: department.as_ref().map(|department| department.id),
        department: department.map(|department| department.name),
        version: 1,
        created_at: pen.now,
        updated_at: pen.now,
    };
    // One round trip: if the row is refused, so is the event.
    let announced = announce(tx, pen, EventType::EmployeeCreated, hired.id.to_string(), json!(hired), None);
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
    let mut after = Employee { profile: new.profile.clone(), ..before.clone() };
    if (new.department_id, &new.department) != (before.department_id, &before.department) {
        let department = find_or_create(tx, pen, &new).await?;
        after.department_id = department.as_ref().map(|department| department.id);
        after.department = department.map(|department| department.name);
    }
    let (changed, previous) = after.difference(&before);
    if changed.is_empty() {
        return Ok(before);
    }
    after.version += 1;
    after.updated_at = pen.now;
    store(tx, &after, &before).await?;
    let difference = Some((changed, previous));
    announce(tx, pen, EventType::EmployeeUpdated, id.to_string(), json!(after), difference).await?;
    Ok(after)
}

/// Removes an employee and announces it, with all that was known, as `employee.deleted`.
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
    employee::delete(tx, pen.company, id).await?;
    departments::forget_lead(tx, pen, id).await?;
    announce(tx, pen, EventType::EmployeeDeleted, id.to_string(), json!(before), None).await?;
    Ok(())
}

/// Stores `after` over `before`. On PostgreSQL another node may have been quicker: then the caller is stale.
async fn store(tx: &Tx, after: &Employee, before: &Employee) -> Result<(), Refusal> {
    employee::update(tx, after, before.version).await.map_err(|error| match error {
        StoreError::NotFound => Refusal::Stale,
        StoreError::Duplicate(_) | StoreError::Unavailable(_) | StoreError::Broken(_) => {
            Refusal::Store(error)
        }
    })?;
    if after.profile.external_refs != before.profile.external_refs {
        employee::replace_refs(tx, after).await?;
    }
    Ok(())
}
