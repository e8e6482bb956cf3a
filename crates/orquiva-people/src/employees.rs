//! The verbs about employees.

use std::collections::BTreeMap;

use orquiva_core::custom_field::CustomValues;
use orquiva_core::department::key;
use orquiva_core::event::EventType;
use orquiva_core::id::EmployeeId;
use orquiva_core::{Employee, NewEmployee};
use orquiva_store::department::Named;
use orquiva_store::{Tx, employee, event};
use serde_json::Value;

use crate::custom_fields;
use crate::departments::{self, department_of, find_or_create};
use crate::managers;
use crate::pen::{Pen, Refusal, announce_employee, told_of};
use crate::store::{overtaken, settled, store};

/// Hires someone and announces it as `employee.created`: both are stored, or neither is.
pub async fn hire(tx: &Tx, pen: &Pen, new: NewEmployee) -> Result<Employee, Refusal> {
    let department = find_or_create(tx, pen, &new).await?;
    let hired = drawn_up(tx, pen, new, department).await?;
    // One round trip: if the row is refused, so is the event.
    let announced = announce_employee(tx, pen, EventType::EmployeeCreated, &hired, None);
    tokio::try_join!(biased; employee::insert(tx, &hired), announced)?;
    Ok(hired)
}

/// Hires several people and announces each as [`hire`] does, for hardly more than one costs: each department is looked
/// for once, and nothing waits for one of them. They have no order among themselves.
pub(crate) async fn hire_all(tx: &Tx, pen: &Pen, all: &[&NewEmployee]) -> Result<Vec<Employee>, Refusal> {
    let wish = |new: &NewEmployee| (new.department_id, new.department.as_deref().map(key));
    // Of several ways to write a new one the first counts.
    let wishes: BTreeMap<_, _> = all.iter().rev().map(|new| (wish(new), *new)).collect();
    let found: Vec<_> = wishes.values().map(|new| find_or_create(tx, pen, new)).collect();
    let found = tx.together(found.into_iter()).await?;
    let departments: BTreeMap<_, _> = wishes.into_keys().zip(found).collect();
    let into = |new: &NewEmployee| departments[&wish(new)].clone();
    let hired: Vec<_> = all.iter().map(|new| drawn_up(tx, pen, (*new).clone(), into(new))).collect();
    let hired = tx.together(hired.into_iter()).await?;
    let told: Vec<_> = hired.iter().map(|one| told_of(pen, EventType::EmployeeCreated, one, None)).collect();
    let announced = event::announce_all(tx, pen.company, &told);
    tokio::try_join!(biased; employee::insert_all(tx, pen.company, &hired), announced)?;
    Ok(hired)
}

/// Someone who is about to be hired into `department`.
async fn drawn_up(
    tx: &Tx,
    pen: &Pen,
    new: NewEmployee,
    department: Option<Named>,
) -> Result<Employee, Refusal> {
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
    holds: impl Fn(&Employee) -> bool,
) -> Result<Employee, Refusal> {
    settled(|| async {
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
            custom_fields: custom_fields::read(
                tx,
                pen,
                new.custom_fields.clone(),
                before.custom_fields.clone(),
            )
            .await?,
            ..before.clone()
        };
        let department = department_of(tx, pen, &new, &before).await?;
        after.department_id = department.as_ref().map(|department| department.id);
        after.department = department.map(|department| department.name);
        store(tx, pen, EventType::EmployeeUpdated, after, before).await
    })
    .await
}

/// Removes an employee and announces it, with all that was known, as `employee.deleted`. Who reported to them
/// reports to nobody from now on, which is announced for each of them.
pub async fn remove(
    tx: &Tx,
    pen: &Pen,
    id: EmployeeId,
    holds: impl Fn(&Employee) -> bool,
) -> Result<(), Refusal> {
    settled(|| async {
        let before = employee::get(tx, pen.company, id).await?;
        if !holds(&before) {
            return Err(Refusal::Stale);
        }
        managers::release_reports(tx, pen, id).await?;
        employee::delete(tx, &before).await.map_err(overtaken)?;
        departments::forget_lead(tx, pen, id).await?;
        announce_employee(tx, pen, EventType::EmployeeDeleted, &before, None).await?;
        Ok(())
    })
    .await
}
