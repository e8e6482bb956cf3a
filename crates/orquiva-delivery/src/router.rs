//! The router: gives committed events their place in the company's log and makes their deliveries.

use std::collections::BTreeMap;

use orquiva_core::Timestamp;
use orquiva_core::event::patterns;
use orquiva_core::id::{CompanyId, Mint};
use orquiva_store::delivery::NewDelivery;
use orquiva_store::event::Unrouted;
use orquiva_store::lane::Lane;
use orquiva_store::{StoreError, Tx, delivery, event, lane, webhook};

use crate::parts::Parts;

/// Most events that are routed in one transaction: few enough not to hold up a hire.
pub(crate) const MOST: usize = 256;

/// Routes up to [`MOST`] events; returns how many, and the lanes that something was put into.
/// An event that matches nobody stays in the log.
pub(crate) async fn route(parts: &Parts) -> Result<(usize, Vec<Lane>), StoreError> {
    let waiting = {
        let tx = parts.store.read().await?;
        !event::unrouted(&tx, 1).await?.is_empty()
    };
    if !waiting {
        return Ok((0, Vec::new()));
    }
    let (mint, now) = (parts.mint.clone(), parts.clock.now());
    parts.store.write(None, move |tx| async move { route_some(&tx, &mint, now).await }).await
}

async fn route_some(tx: &Tx, mint: &Mint, now: Timestamp) -> Result<(usize, Vec<Lane>), StoreError> {
    event::lock_routing(tx).await?;
    let unrouted = event::unrouted(tx, MOST as i64).await?;
    let routed = unrouted.len();
    let mut companies: BTreeMap<CompanyId, Vec<Unrouted>> = BTreeMap::new();
    for event in unrouted {
        companies.entry(event.company).or_default().push(event);
    }
    let placed = companies.into_iter().map(|(company, events)| async move {
        let before = event::reserve(tx, company, events.len() as i64).await?;
        let places = events.iter().zip(before + 1..).map(|(event, place)| (event.position, place));
        event::place(tx, company, &places.collect::<Vec<_>>()).await?;
        matching(tx, mint, company, events).await
    });
    let deliveries = tx.together(placed).await?.concat();
    delivery::create(tx, &deliveries, now).await?;
    let mut lanes: Vec<Lane> = deliveries.iter().map(|delivery| delivery.lane).collect();
    lanes.sort_unstable_by_key(|lane| (lane.company, lane.webhook));
    lanes.dedup();
    lane::mark_due(tx, &lanes, now).await?;
    Ok((routed, lanes))
}

/// One delivery for each subscription that an event matches.
async fn matching(
    tx: &Tx,
    mint: &Mint,
    company: CompanyId,
    events: Vec<Unrouted>,
) -> Result<Vec<NewDelivery>, StoreError> {
    let subscriptions: Vec<_> = webhook::subscriptions(tx, company)
        .await?
        .into_iter()
        .map(|(webhook, stored)| (Lane { company, webhook }, patterns(&stored)))
        .collect();
    let mut deliveries = Vec::new();
    for event in events {
        for (lane, patterns) in &subscriptions {
            if patterns.iter().any(|pattern| pattern.matches(&event.kind)) {
                let kind = event.kind.clone();
                deliveries.push(NewDelivery { id: mint.next(), lane: *lane, event: event.id, kind });
            }
        }
    }
    Ok(deliveries)
}
