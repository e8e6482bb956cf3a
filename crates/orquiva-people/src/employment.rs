//! The end of an employment, its return, and what of them lies ahead. Days are counted in UTC, and whatever is
//! effective on a day is so from its first moment on. Each verb announces exactly one event.

use orquiva_core::employee::{Status, Termination};
use orquiva_core::event::EventType;
use orquiva_core::id::EmployeeId;
use orquiva_core::{Code, Employee, Fault, NewEmployee};
use orquiva_store::{Tx, employee};
use serde_json::Value;

use crate::custom_fields;
use crate::departments::department_of;
use crate::managers;
use crate::pen::{Pen, Refusal};
use crate::store::{settled, store};

/// Ends an employment: at once as `employee.terminated`, or on a day to come as `employee.termination_scheduled`.
pub async fn terminate(
    tx: &Tx,
    pen: &Pen,
    id: EmployeeId,
    end: Termination,
    holds: impl Fn(&Employee) -> bool,
) -> Result<Employee, Refusal> {
    settled(|| async {
        let (before, today) = (meant(tx, pen, id, &holds).await?, pen.now.date());
        match before.profile.status {
            Status::Terminated => return Err(Refusal::Not(Code::AlreadyTerminated)),
            Status::Terminating => return Err(Refusal::Not(Code::TerminationScheduled)),
            Status::Onboarding if before.former.is_some() => return Err(Refusal::Not(Code::RehireScheduled)),
            Status::Onboarding | Status::Active | Status::OnLeave => {}
        }
        // Who never began can be let go before the first day.
        if before.profile.start_date.is_some_and(|start| end.effective < start && start <= today) {
            return Err(Refusal::field("/effectiveDate", Fault::EndBeforeStart));
        }
        let mut after = before.clone();
        after.end_date = Some(end.effective);
        after.termination_reason = end.reason.clone();
        let kind = match end.effective > today {
            true => {
                after.profile.status = Status::Terminating;
                after.former = Some(before.employment());
                EventType::EmployeeTerminationScheduled
            }
            false => {
                after.profile.status = Status::Terminated;
                EventType::EmployeeTerminated
            }
        };
        store(tx, pen, kind, after, before).await
    })
    .await
}

/// Cancels an end that lies ahead: the employment goes on as it was.
pub async fn cancel_termination(
    tx: &Tx,
    pen: &Pen,
    id: EmployeeId,
    holds: impl Fn(&Employee) -> bool,
) -> Result<Employee, Refusal> {
    settled(|| async {
        let before = meant(tx, pen, id, &holds).await?;
        let ahead = before.end_date.is_some_and(|end| end > pen.now.date());
        match before.profile.status {
            Status::Terminating if ahead => {}
            Status::Terminating | Status::Terminated => return Err(Refusal::Not(Code::AlreadyTerminated)),
            Status::Onboarding | Status::Active | Status::OnLeave => {
                return Err(Refusal::Not(Code::NoTermination));
            }
        }
        let mut after = before.clone();
        after.profile.status = before.former.as_ref().map_or(Status::Active, |former| former.status);
        after.end_date = None;
        after.termination_reason = None;
        store(tx, pen, EventType::EmployeeTerminationCancelled, after, before).await
    })
    .await
}

/// Takes someone on again who had left, from the day that `wish` names on, with whatever else it changes.
pub async fn rehire(
    tx: &Tx,
    pen: &Pen,
    id: EmployeeId,
    wish: &Value,
    holds: impl Fn(&Employee) -> bool,
) -> Result<Employee, Refusal> {
    settled(|| async {
        let before = meant(tx, pen, id, &holds).await?;
        match before.profile.status {
            Status::Terminated => {}
            Status::Terminating => return Err(Refusal::Not(Code::TerminationScheduled)),
            Status::Onboarding if before.former.is_some() => return Err(Refusal::Not(Code::RehireScheduled)),
            Status::Onboarding | Status::Active | Status::OnLeave => {
                return Err(Refusal::Not(Code::NotTerminated));
            }
        }
        let new = NewEmployee::rehired(&before, wish, pen.now.date()).map_err(Refusal::Fields)?;
        let department = department_of(tx, pen, &new, &before).await?;
        managers::check_change(tx, pen, &before, &new).await?;
        let after = Employee {
            original_hire_date: before.original_hire_date.or(new.profile.start_date),
            end_date: None,
            termination_reason: None,
            department_id: department.as_ref().map(|department| department.id),
            department: department.map(|department| department.name),
            former: Some(before.employment()),
            profile: new.profile,
            sensitive: new.sensitive,
            custom_fields: custom_fields::read(tx, pen, new.custom_fields, before.custom_fields.clone())
                .await?,
            ..before.clone()
        };
        store(tx, pen, EventType::EmployeeRehired, after, before).await
    })
    .await
}

/// Cancels a return that lies ahead: the employment stands as it had ended, which is announced as
/// `employee.terminated`. Whatever else the return had changed stays.
pub async fn cancel_rehire(
    tx: &Tx,
    pen: &Pen,
    id: EmployeeId,
    holds: impl Fn(&Employee) -> bool,
) -> Result<Employee, Refusal> {
    settled(|| async {
        let before = meant(tx, pen, id, &holds).await?;
        let ahead = before.profile.start_date.is_some_and(|start| start > pen.now.date());
        let former = match (before.profile.status, &before.former) {
            (Status::Onboarding, Some(former)) if ahead => former.clone(),
            (Status::Terminated, _) => return Err(Refusal::Not(Code::AlreadyTerminated)),
            (Status::Terminating, _) => return Err(Refusal::Not(Code::TerminationScheduled)),
            (Status::Onboarding | Status::Active | Status::OnLeave, _) => {
                return Err(Refusal::Not(Code::NoRehire));
            }
        };
        store(tx, pen, EventType::EmployeeTerminated, before.clone().with(former), before).await
    })
    .await
}

/// Carries out what lay ahead of someone and is due by now; whether it was still to be done. Whoever changes the
/// employee in between wins, and it is looked at again.
pub(crate) async fn carry_out(tx: &Tx, pen: &Pen, id: EmployeeId) -> Result<bool, Refusal> {
    settled(|| async {
        let before = employee::get(tx, pen.company, id).await?;
        if before.due_on.is_none_or(|due| due > pen.now.date()) {
            return Ok(false);
        }
        let mut after = before.clone();
        let kind = match before.profile.status {
            Status::Onboarding => {
                after.profile.status = Status::Active;
                EventType::EmployeeStarted
            }
            Status::Terminating => {
                after.profile.status = Status::Terminated;
                EventType::EmployeeTerminated
            }
            Status::Active | Status::OnLeave | Status::Terminated => return Ok(false),
        };
        store(tx, pen, kind, after, before).await?;
        Ok(true)
    })
    .await
}

/// The employee, if it is the version that the caller means.
async fn meant(
    tx: &Tx,
    pen: &Pen,
    id: EmployeeId,
    holds: impl FnOnce(&Employee) -> bool,
) -> Result<Employee, Refusal> {
    let before = employee::get(tx, pen.company, id).await?;
    match holds(&before) {
        true => Ok(before),
        false => Err(Refusal::Stale),
    }
}
