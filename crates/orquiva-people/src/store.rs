//! How a change of an employee is stored and announced, whatever led to it.

use orquiva_core::Employee;
use orquiva_core::event::EventType;
use orquiva_store::{StoreError, Tx, employee};

use crate::pen::{Pen, Refusal, announce_employee};

/// How often a verb is tried while others are quicker.
const TRIES: usize = 100;

/// Tries a verb again while another node changes the employee between the look at it and the change: it is carried out
/// on the employee as it is by then. Nothing of a try that was overtaken is wrong for the next one.
pub(crate) async fn settled<T, R>(attempt: impl Fn() -> R) -> Result<T, Refusal>
where
    R: Future<Output = Result<T, Refusal>>,
{
    for _ in 1..TRIES {
        match attempt().await {
            Err(Refusal::Overtaken) => {}
            settled => return settled,
        }
    }
    attempt().await
}

/// A row that is not there in the version that was read a moment ago was changed by another node.
pub(crate) fn overtaken(error: StoreError) -> Refusal {
    match error {
        StoreError::NotFound => Refusal::Overtaken,
        StoreError::Duplicate(_) | StoreError::Unavailable(_) | StoreError::Broken(_) => {
            Refusal::Store(error)
        }
    }
}

/// Stores `after` over `before` as its next version and announces in what they differ; if that is nothing,
/// nothing is stored. On PostgreSQL another node may have been quicker: then the caller is overtaken.
pub(crate) async fn store(
    tx: &Tx,
    pen: &Pen,
    kind: EventType,
    mut after: Employee,
    before: Employee,
) -> Result<Employee, Refusal> {
    let difference = after.difference(&before);
    if difference.changed.is_empty() {
        return Ok(before);
    }
    after.version += 1;
    after.updated_at = pen.now;
    if after.profile.status != before.profile.status || after.profile.start_date != before.profile.start_date
    {
        after.due_on = after.falls_due(before.due_on.is_some(), pen.now.date());
    }
    employee::update(tx, &after, &before).await.map_err(overtaken)?;
    if after.profile.external_refs != before.profile.external_refs {
        employee::replace_refs(tx, &after).await?;
    }
    announce_employee(tx, pen, kind, &after, Some(difference)).await?;
    Ok(after)
}
