//! How a change of an employee is stored and announced, whatever led to it.

use orquiva_core::Employee;
use orquiva_core::event::EventType;
use orquiva_store::{StoreError, Tx, employee};

use crate::pen::{Pen, Refusal, announce_employee};

/// Stores `after` over `before` as its next version and announces in what they differ; if that is nothing,
/// nothing is stored. On PostgreSQL another node may have been quicker: then the caller is stale.
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
    employee::update(tx, &after, &before).await.map_err(|error| match error {
        StoreError::NotFound => Refusal::Stale,
        StoreError::Duplicate(_) | StoreError::Unavailable(_) | StoreError::Broken(_) => {
            Refusal::Store(error)
        }
    })?;
    if after.profile.external_refs != before.profile.external_refs {
        employee::replace_refs(tx, &after).await?;
    }
    announce_employee(tx, pen, kind, &after, Some(difference)).await?;
    Ok(after)
}
