//! How long the log is kept: events leave it when their plan's days are over, a few at a time, so that nobody waits.

use orquiva_core::id::CompanyId;
use orquiva_core::{Plan, Timestamp};
use orquiva_store::event::Oldest;
use orquiva_store::{StoreError, event};
use tokio::sync::watch;

use crate::parts::Parts;

/// Events that one transaction removes: few enough not to hold up the router.
const CHUNK: i64 = 200;

/// Companies that are looked at together.
const COMPANIES: i64 = 500;

/// Removes every event that has had its time, until `stop`.
pub(crate) async fn sweep(parts: &Parts, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let now = parts.clock.now();
    let first = Plan::ALL.iter().map(|plan| kept_since(*plan, now)).max().unwrap_or(now);
    let mut after = None;
    loop {
        let look = move |tx| async move { event::oldest(&tx, after, first, COMPANIES).await };
        let found = parts.store.scan(look).await?;
        for Oldest { company, plan, created_at } in &found {
            let before = kept_since(*plan, now);
            if *created_at < before {
                expire(parts, *company, before, stop).await?;
            }
        }
        match found.last() {
            Some(last) if !*stop.borrow() => after = Some(last.company),
            Some(_) | None => return Ok(()),
        }
    }
}

/// Removes a company's events that happened before `before`, chunk by chunk.
async fn expire(
    parts: &Parts,
    company: CompanyId,
    before: Timestamp,
    stop: &watch::Receiver<bool>,
) -> Result<(), StoreError> {
    while !*stop.borrow() {
        let chunk = move |tx| async move { event::expire(&tx, company, before, CHUNK).await };
        if parts.store.write::<_, StoreError, _, _>(None, chunk).await? < CHUNK {
            break;
        }
    }
    Ok(())
}

/// The moment before which events have had their time on a plan.
fn kept_since(plan: Plan, now: Timestamp) -> Timestamp {
    now.plus(-plan.event_days() * 86_400_000)
}
