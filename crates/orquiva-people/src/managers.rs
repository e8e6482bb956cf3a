//! Who reports to whom: always to someone of the company, and never in a circle.

use orquiva_core::event::EventType;
use orquiva_core::id::EmployeeId;
use orquiva_core::{Employee, Fault, NewEmployee};
use orquiva_store::{Tx, employee};

use crate::pen::{Pen, Refusal};
use crate::store::store;

/// Checks the manager whom `new` names for `before`, unless it is the one that they have.
pub(crate) async fn check_change(
    tx: &Tx,
    pen: &Pen,
    before: &Employee,
    new: &NewEmployee,
) -> Result<(), Refusal> {
    match new.profile.manager_id {
        Some(manager) if new.profile.manager_id != before.profile.manager_id => {
            check(tx, pen, Some(before.id), manager).await
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses `manager` for `employee` (nobody yet while they are being hired) if there is no such person, or if that
/// one reports to them already.
pub(crate) async fn check(
    tx: &Tx,
    pen: &Pen,
    employee: Option<EmployeeId>,
    manager: EmployeeId,
) -> Result<(), Refusal> {
    employee::lock_managers(tx, pen.company).await?;
    let chain = employee::chain(tx, pen.company, manager).await?;
    let fault = match employee {
        _ if chain.is_empty() => Fault::UnknownEmployee,
        Some(employee) if employee == manager => Fault::OwnManager,
        Some(employee) if chain.contains(&employee) => Fault::ManagerCycle,
        Some(_) | None => return Ok(()),
    };
    Err(Refusal::field("/managerId", fault))
}

/// Leaves those who report to `manager`, who is being removed, without one.
pub(crate) async fn release_reports(tx: &Tx, pen: &Pen, manager: EmployeeId) -> Result<(), Refusal> {
    employee::lock_managers(tx, pen.company).await?;
    for report in employee::reports(tx, pen.company, manager).await? {
        let before = employee::get(tx, pen.company, report).await?;
        let mut after = before.clone();
        after.profile.manager_id = None;
        store(tx, pen, EventType::EmployeeUpdated, after, before).await?;
    }
    Ok(())
}
