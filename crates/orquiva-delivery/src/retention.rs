//! How long the logs are kept: events, and deliveries that arrived, leave them when their plan's days are over, a few at a
//! time, so that nobody waits.

use orquiva_core::id::CompanyId;
use orquiva_core::{Plan, Timestamp};
use orquiva_store::delivery::log;
use orquiva_store::event::Oldest;
use orquiva_store::{StoreError, event, replay};
use tokio::sync::watch;

use crate::parts::Parts;

/// Events that one transaction removes: few enough not to hold up the router.
const CHUNK: i64 = 200;

/// Deliveries that are looked at together.
const LOOKED_AT: i64 = 2_000;

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

/// Removes every delivery that arrived and has had its time in the log, until `stop`.
pub(crate) async fn sweep_deliveries(parts: &Parts, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let now = parts.clock.now();
    let first = Plan::ALL.iter().map(|plan| delivered_since(*plan, now)).max().unwrap_or(now);
    let mut after = None;
    loop {
        let look = move |tx| async move { log::companies(&tx, after, first, COMPANIES).await };
        let found = parts.store.scan(look).await?;
        for (company, plan) in &found {
            forget(parts, *company, delivered_since(*plan, now), stop).await?;
        }
        match found.last() {
            Some((last, _)) if !*stop.borrow() => after = Some(*last),
            Some(_) | None => return Ok(()),
        }
    }
}

/// Removes a company's deliveries that were over before `before`, and its replays. They are looked for where nobody
/// waits; what is to be kept is passed over.
async fn forget(
    parts: &Parts,
    company: CompanyId,
    before: Timestamp,
    stop: &watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let mut after = None;
    while !*stop.borrow() {
        let look = move |tx| async move { log::old(&tx, company, after, before, LOOKED_AT).await };
        let log::Old { gone, through } = parts.store.scan(look).await?;
        for some in gone.chunks(CHUNK as usize) {
            let some = some.to_vec();
            let remove = move |tx| async move { log::remove(&tx, company, &some).await };
            parts.store.write::<_, StoreError, _, _>(None, remove).await?;
        }
        match through {
            Some(_) => after = through,
            None => break,
        }
    }
    let replays = move |tx| async move { replay::forget(&tx, company, before).await };
    parts.store.write(None, replays).await
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

/// The moment before which deliveries that arrived have had their time on a plan.
fn delivered_since(plan: Plan, now: Timestamp) -> Timestamp {
    now.plus(-plan.delivery_days() * 86_400_000)
}
