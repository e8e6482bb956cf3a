//! Many verbs about employees in one transaction, each with its own outcome.

use orquiva_core::id::EmployeeId;
use orquiva_core::{Employee, NewEmployee};
use orquiva_store::{StoreError, Tx};
use serde_json::Value;

use crate::employees::{self, change, remove};
use crate::pen::{Pen, Refusal};

/// Whether the present version of an employee is the one that the caller believes it to be.
pub type Holds = Box<dyn Fn(&Employee) -> bool + Send + Sync>;

/// Something to do to one employee.
pub enum Item {
    /// Hire.
    Hire(Box<NewEmployee>),
    /// Change by a merge patch.
    Change {
        /// Whom.
        id: EmployeeId,
        /// The patch.
        patch: Value,
        /// Whether it is the version that is meant.
        holds: Holds,
    },
    /// Remove.
    Remove {
        /// Whom.
        id: EmployeeId,
        /// Whether it is the version that is meant.
        holds: Holds,
    },
}

impl Item {
    /// Who is to be hired, if that is what is to be done.
    fn hire(&self) -> Option<&NewEmployee> {
        match self {
            Self::Hire(new) => Some(new),
            Self::Change { .. } | Self::Remove { .. } => None,
        }
    }
}

/// What became of an item: the employee as it stands, or nothing where it was removed; or why it was refused,
/// in which case nothing of it is stored.
pub type Outcome = Result<Option<Employee>, Refusal>;

/// Carries out `items` in order. Each has an outcome of its own, the same as if it had come alone after those
/// before it; an error is for all of them.
pub async fn carry_out(tx: &Tx, pen: &Pen, items: &[Item]) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes = Vec::with_capacity(items.len());
    let mut rest = items;
    while let [item, others @ ..] = rest {
        let outcome = match item {
            Item::Hire(_) => {
                let hires = rest.iter().map_while(Item::hire).count();
                hire_some(tx, pen, &rest[..hires], &mut outcomes).await?;
                rest = &rest[hires..];
                continue;
            }
            Item::Change { id, patch, holds } => {
                tx.part(async { change(tx, pen, *id, patch, holds).await.map(Some) }).await
            }
            Item::Remove { id, holds } => {
                tx.part(async { remove(tx, pen, *id, holds).await.map(|()| None) }).await
            }
        };
        outcomes.push(own(outcome)?);
        rest = others;
    }
    Ok(outcomes)
}

/// Hires all at once, which is what nearly always succeeds and costs hardly more than one; they have no order among
/// themselves then. If one is refused, each half is tried by itself, down to the one that is to blame.
async fn hire_some(
    tx: &Tx,
    pen: &Pen,
    items: &[Item],
    outcomes: &mut Vec<Outcome>,
) -> Result<(), StoreError> {
    let mut ahead = vec![items];
    while let Some(some) = ahead.pop() {
        let all: Vec<&NewEmployee> = some.iter().filter_map(Item::hire).collect();
        match tx.part(employees::hire_all(tx, pen, &all)).await {
            Ok(hired) => outcomes.extend(hired.into_iter().map(|employee| Ok(Some(employee)))),
            Err(refusal) if some.len() == 1 => outcomes.push(own(Err(refusal))?),
            Err(Refusal::Store(cause @ StoreError::Unavailable(_))) => return Err(cause),
            // Which of them it was, and why, is known once it is alone: PostgreSQL tells the others that the
            // transaction has failed already.
            Err(_) => {
                let (first, second) = some.split_at(some.len() / 2);
                ahead.extend([second, first]);
            }
        }
    }
    Ok(())
}

/// The outcome of one item, unless the database itself is to blame: then no other would fare better.
fn own(outcome: Outcome) -> Result<Outcome, StoreError> {
    match outcome {
        Err(Refusal::Store(cause @ (StoreError::Unavailable(_) | StoreError::Broken(_)))) => Err(cause),
        outcome => Ok(outcome),
    }
}
