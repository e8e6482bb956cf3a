//! The verbs about departments, and what a department's change means for the people in it.

use orquiva_core::department::{key, near};
use orquiva_core::event::{EventType, NewEvent};
use orquiva_core::id::{DepartmentId, EmployeeId};
use orquiva_core::{Department, Employee, Fault, FieldError, NewDepartment, NewEmployee};
use orquiva_store::department::{self, Named};
use orquiva_store::employee::{Order, Sort};
use orquiva_store::{StoreError, Tx, company, employee, event};
use serde_json::{Value, json};

use crate::pen::{Pen, Refusal, announce, told, told_of};

/// How many people are held in memory at once when all of a department are told of.
const AT_ONCE: i64 = 500;

/// Creates a department and announces it as `department.created`.
pub async fn create(tx: &Tx, pen: &Pen, new: NewDepartment) -> Result<Department, Refusal> {
    let created = fresh(pen, new);
    if created.shape.parent_id.is_some() {
        department::lock_tree(tx, pen.company).await?;
    }
    check(tx, pen, &created, None).await?;
    match department::insert(tx, pen.company, &created, &told_created(pen, &created)).await? {
        true => Ok(created),
        false => Err(StoreError::Duplicate("name").into()),
    }
}

/// Changes a department by a merge patch (RFC 7396) and announces what changed as `department.updated`. A new
/// name is the new `department` of everyone in it, and is announced for each of them too.
/// `holds` says whether the present version is the one that the caller believes it to be.
pub async fn change(
    tx: &Tx,
    pen: &Pen,
    id: DepartmentId,
    patch: &Value,
    holds: impl FnOnce(&Department) -> bool,
) -> Result<Department, Refusal> {
    if patch.get("parentId").is_some() {
        department::lock_tree(tx, pen.company).await?;
    }
    let before = department::hold(tx, pen.company, id).await?;
    if !holds(&before) {
        return Err(Refusal::Stale);
    }
    let shape = NewDepartment::patched(&before, patch).map_err(Refusal::Fields)?;
    let after = Department { shape, ..before.clone() };
    check(tx, pen, &after, Some(&before)).await?;
    let after = put(tx, pen, after, &before).await?;
    if after.shape.name != before.shape.name {
        carry(tx, pen, &named(&before), &named(&after)).await?;
    }
    Ok(after)
}

/// Removes a department and announces it as `department.deleted`. While people are in it, or departments stand
/// under it, that takes a `replacement`, which comes to stand where the other stood: it takes in the people and
/// the departments, and moves up into its place if it stood below it. All of this is announced, one by one.
pub async fn remove(
    tx: &Tx,
    pen: &Pen,
    id: DepartmentId,
    replacement: Option<DepartmentId>,
    holds: impl FnOnce(&Department) -> bool,
) -> Result<(), Refusal> {
    department::lock_tree(tx, pen.company).await?;
    let removed = department::hold(tx, pen.company, id).await?;
    if !holds(&removed) {
        return Err(Refusal::Stale);
    }
    match replacement {
        Some(replacement) => replace(tx, pen, &removed, replacement).await?,
        None => match department::use_of(tx, pen.company, id).await? {
            (0, 0) => {}
            (people, departments) => return Err(Refusal::InUse { people, departments }),
        },
    }
    department::delete(tx, pen.company, id).await?;
    announce(tx, pen, EventType::DepartmentDeleted, id.to_string(), json!(removed), None).await?;
    Ok(())
}

/// The department that `wish` means for someone who is in one, which is looked for only if it is another one.
pub(crate) async fn department_of(
    tx: &Tx,
    pen: &Pen,
    wish: &NewEmployee,
    before: &Employee,
) -> Result<Option<Named>, Refusal> {
    if (wish.department_id, &wish.department) != (before.department_id, &before.department) {
        return find_or_create(tx, pen, wish).await;
    }
    Ok(before.department_id.zip(before.department.clone()).map(|(id, name)| Named { id, name }))
}

/// The department that `wish` means. A name that is new creates one and announces it, unless the company has
/// closed its departments; an id has to exist; if both are given they have to agree.
pub(crate) async fn find_or_create(tx: &Tx, pen: &Pen, wish: &NewEmployee) -> Result<Option<Named>, Refusal> {
    if let Some(id) = wish.department_id {
        let found = department::by_id(tx, pen.company, id).await?;
        let found = found.ok_or_else(|| Refusal::field("/departmentId", Fault::UnknownDepartment))?;
        let agrees = |name: &String| key(name) == key(&found.name);
        return match wish.department.as_ref().is_none_or(agrees) {
            true => Ok(Some(found)),
            false => Err(Refusal::field("/departmentId", Fault::DepartmentsDisagree)),
        };
    }
    let Some(name) = &wish.department else { return Ok(None) };
    let known = key(name);
    if let Some(found) = department::by_name(tx, pen.company, &known).await? {
        return Ok(Some(found));
    }
    if company::get(tx, pen.company).await?.closed_departments {
        return Err(unknown(tx, pen, name).await?);
    }
    let new = fresh(pen, NewDepartment::named(name.clone()));
    if department::insert(tx, pen.company, &new, &told_created(pen, &new)).await? {
        return Ok(Some(named(&new)));
    }
    // Somebody else has just created it: another hire beside this one, or another node.
    let found = department::by_name(tx, pen.company, &known).await?;
    found.map(Some).ok_or_else(|| StoreError::Unavailable(format!("`{name}` comes and goes")).into())
}

/// Takes a removed employee out of the departments that they led.
pub(crate) async fn forget_lead(tx: &Tx, pen: &Pen, lead: EmployeeId) -> Result<(), Refusal> {
    for id in department::led_by(tx, pen.company, lead).await? {
        let before = department::hold(tx, pen.company, id).await?;
        let mut after = before.clone();
        after.shape.lead_ids.retain(|other| *other != lead);
        put(tx, pen, after, &before).await?;
    }
    Ok(())
}

fn fresh(pen: &Pen, shape: NewDepartment) -> Department {
    Department { id: pen.mint.next(), shape, version: 1, created_at: pen.now, updated_at: pen.now }
}

fn named(department: &Department) -> Named {
    Named { id: department.id, name: department.shape.name.clone() }
}

fn told_created(pen: &Pen, new: &Department) -> NewEvent {
    told(pen, EventType::DepartmentCreated, new.id.to_string(), json!(new), None)
}

/// Checks what is new in `after`: its parent is there and not below it, its leads are employees.
/// For a new parent the caller has locked the tree.
async fn check(tx: &Tx, pen: &Pen, after: &Department, before: Option<&Department>) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    let NewDepartment { parent_id, lead_ids, .. } = &after.shape;
    if let Some(parent) = parent_id
        && before.is_none_or(|before| before.shape.parent_id != *parent_id)
    {
        let way = department::way_up(tx, pen.company, *parent).await?;
        let fault = match way.is_empty() {
            true => Some(Fault::UnknownDepartment),
            false => way.contains(&after.id).then_some(Fault::DepartmentCycle),
        };
        faults.extend(fault.map(|fault| FieldError { pointer: "/parentId".to_owned(), fault }));
    }
    if !lead_ids.is_empty() && before.is_none_or(|before| before.shape.lead_ids != *lead_ids) {
        let known = employee::existing(tx, pen.company, lead_ids).await?;
        let unknown = lead_ids.iter().enumerate().filter(|(_, lead)| !known.contains(lead));
        faults.extend(
            unknown.map(|(at, _)| FieldError {
                pointer: format!("/leadIds/{at}"),
                fault: Fault::UnknownEmployee,
            }),
        );
    }
    if faults.is_empty() { Ok(()) } else { Err(Refusal::Fields(faults)) }
}

/// Stores `after` over `before` as its next version and announces what changed; if nothing did, nothing happens.
async fn put(tx: &Tx, pen: &Pen, mut after: Department, before: &Department) -> Result<Department, Refusal> {
    let (changed, previous) = after.difference(before);
    if changed.is_empty() {
        return Ok(after);
    }
    after.version += 1;
    after.updated_at = pen.now;
    department::update(tx, pen.company, &after).await?;
    if after.shape.lead_ids != before.shape.lead_ids {
        department::replace_leads(tx, pen.company, &after).await?;
    }
    let difference = Some((changed, previous));
    announce(tx, pen, EventType::DepartmentUpdated, after.id.to_string(), json!(after), difference).await?;
    Ok(after)
}

/// Puts `replacement` where `removed` stands.
async fn replace(tx: &Tx, pen: &Pen, removed: &Department, replacement: DepartmentId) -> Result<(), Refusal> {
    const NAME: &str = "replaceWith";
    if replacement == removed.id {
        return Err(Refusal::parameter(NAME, Fault::SameDepartment));
    }
    let way = department::way_up(tx, pen.company, replacement).await?;
    if way.is_empty() {
        return Err(Refusal::parameter(NAME, Fault::UnknownDepartment));
    }
    let mut into = department::hold(tx, pen.company, replacement).await?;
    if way.contains(&removed.id) {
        into = under(tx, pen, into, removed.shape.parent_id).await?;
    }
    for child in department::children(tx, pen.company, removed.id).await? {
        let child = department::hold(tx, pen.company, child.id).await?;
        under(tx, pen, child, Some(replacement)).await?;
    }
    carry(tx, pen, &named(removed), &named(&into)).await
}

/// Puts a department under another one, or at a root. The caller knows that no circle comes of it.
async fn under(
    tx: &Tx,
    pen: &Pen,
    before: Department,
    parent: Option<DepartmentId>,
) -> Result<Department, Refusal> {
    let mut after = before.clone();
    after.shape.parent_id = parent;
    put(tx, pen, after, &before).await
}

/// Gives everyone of the department `from` the department `to`, which is the same one under a new name or another
/// one, and announces it for each. Costs a handful of statements for every few hundred people.
async fn carry(tx: &Tx, pen: &Pen, from: &Named, to: &Named) -> Result<(), Refusal> {
    if employee::touch_all(tx, pen.company, from.id, pen.now).await? == 0 {
        return Ok(());
    }
    let filter = employee::Filter { departments: vec![from.id], ..employee::Filter::default() };
    let mut after = None;
    loop {
        let people =
            employee::list(tx, pen.company, &filter, Sort::default(), after.as_ref(), AT_ONCE).await?;
        let events: Vec<_> = people.iter().map(|person| told_of_move(pen, person, from, to)).collect();
        event::announce_all(tx, pen.company, &events).await?;
        match people.last() {
            Some(last) if people.len() as i64 == AT_ONCE => after = Some(Order::Id.place(last)),
            Some(_) | None => break,
        }
    }
    if from.id != to.id {
        employee::move_all(tx, pen.company, from.id, to.id).await?;
    }
    Ok(())
}

/// The event that tells of a person's new department.
fn told_of_move(pen: &Pen, person: &Employee, from: &Named, to: &Named) -> NewEvent {
    let put = |named: &Named| Employee {
        department_id: Some(named.id),
        department: Some(named.name.clone()),
        ..person.clone()
    };
    let after = put(to);
    let difference = Some(after.difference(&put(from)));
    told_of(pen, EventType::EmployeeUpdated, &after, difference)
}

/// Says that the company has no department of this name, and which it may be.
async fn unknown(tx: &Tx, pen: &Pen, name: &str) -> Result<Refusal, StoreError> {
    let names = department::names(tx, pen.company).await?;
    let near = near(name, names.iter().map(String::as_str));
    let fault = match near.is_empty() {
        true => Fault::ClosedDepartments,
        false => Fault::MisspeltDepartment { near: near.join(", ") },
    };
    Ok(Refusal::field("/department", fault))
}
