//! How long the logs are kept: events, and deliveries that arrived, leave them when their plan's days are over, a few at a
//! time, so that nobody waits.

use orquiva_core::id::{CompanyId, Mint};
use orquiva_core::webhook::Status;
use orquiva_core::{Plan, Timestamp};
use orquiva_store::delivery::log;
use orquiva_store::event::Oldest;
use orquiva_store::lane::Lane;
use orquiva_store::notice::{self, Notice};
use orquiva_store::{Order, StoreError, Tx, delivery, event, lane, replay, webhook};
use serde_json::json;
use tokio::sync::watch;

use crate::parts::Parts;

/// Events that one transaction removes: few enough not to hold up the router.
const CHUNK: i64 = 200;

/// Deliveries that are looked at together.
const LOOKED_AT: i64 = 2_000;

/// The kind of the notice that a paused endpoint lets deliveries expire.
const EXPIRING: &str = "webhook_endpoint.expiring";

/// What waits for an endpoint is counted up to so many.
const MOST_COUNTED: i64 = 10_000;

const DAY: i64 = 86_400_000;

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
                give_up(parts, *company, before, stop).await?;
                expire(parts, *company, before, delivered_since(*plan, now), stop).await?;
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

/// Ends what has waited for a company's paused endpoints since before `before`: it would hold up the end of the log for as
/// long as they are paused.
async fn give_up(
    parts: &Parts,
    company: CompanyId,
    before: Timestamp,
    stop: &watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let paused = {
        let tx = parts.store.read().await?;
        webhook::paused(&tx, company).await?
    };
    for webhook in paused {
        let lane = Lane { company, webhook };
        while !*stop.borrow() {
            let (now, mint) = (parts.clock.now(), parts.mint.clone());
            let piece = move |tx| async move { give_up_some(&tx, lane, before, &mint, now).await };
            if !parts.store.write_in(Order::First, None, piece).await? {
                break;
            }
        }
    }
    Ok(())
}

/// Ends a piece of what has waited for an endpoint since before `before`, if it is still paused, and puts up a notice of
/// it, one a day; whether there may be more.
async fn give_up_some(
    tx: &Tx,
    lane: Lane,
    before: Timestamp,
    mint: &Mint,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let endpoint = match webhook::hold(tx, lane.company, lane.webhook).await {
        Ok(endpoint) if endpoint.shape.status == Status::Paused => endpoint,
        Ok(_) | Err(StoreError::NotFound) => return Ok(false),
        Err(error) => return Err(error),
    };
    lane::lock(tx, lane).await?;
    let ended = delivery::expire_some(tx, lane, before, now).await?;
    if ended > 0 && !notice::is_there(tx, lane, EXPIRING, now.plus(-DAY)).await? {
        let waiting = log::waiting(tx, lane.company, Some(lane.webhook), MOST_COUNTED).await?;
        let data = json!({
            "url": endpoint.shape.url.as_str(),
            "description": endpoint.shape.description,
            "disabledReason": null,
            "failingSince": null,
            "waiting": waiting,
            "expiredBefore": before,
        });
        let (id, kind) = (mint.next(), EXPIRING.to_owned());
        let notice = Notice { id, kind, webhook: lane.webhook, data, created_at: now, read_at: None };
        notice::create(tx, lane.company, &notice).await?;
    }
    Ok(ended == delivery::PIECE)
}

/// Removes a company's events that happened before `before`, chunk by chunk, but not those that expired for a paused
/// endpoint after `shown`.
async fn expire(
    parts: &Parts,
    company: CompanyId,
    before: Timestamp,
    shown: Timestamp,
    stop: &watch::Receiver<bool>,
) -> Result<(), StoreError> {
    while !*stop.borrow() {
        let chunk = move |tx| async move { event::expire(&tx, company, before, shown, CHUNK).await };
        if parts.store.write::<_, StoreError, _, _>(None, chunk).await? < CHUNK {
            break;
        }
    }
    Ok(())
}

/// The moment before which events have had their time on a plan.
fn kept_since(plan: Plan, now: Timestamp) -> Timestamp {
    now.plus(-plan.event_days() * DAY)
}

/// The moment before which deliveries that arrived have had their time on a plan.
fn delivered_since(plan: Plan, now: Timestamp) -> Timestamp {
    now.plus(-plan.delivery_days() * DAY)
}
