//! The router: gives committed events their place in the company's log and makes their deliveries.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use orquiva_core::Timestamp;
use orquiva_core::event::EventType;
use orquiva_core::id::{CompanyId, DeliveryId, Mint};
use orquiva_store::delivery::NewDelivery;
use orquiva_store::event::{Event, Unrouted};
use orquiva_store::lane::Lane;
use orquiva_store::webhook::Subscription;
use orquiva_store::{Order, StoreError, Tx, delivery, event, lane, webhook};
use serde_json::Value;

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
    let (mint, now, due) = (parts.mint.clone(), parts.clock.now(), parts.clock.steady());
    let route = move |tx| async move { route_some(&tx, &mint, now, due).await };
    parts.store.write_in(Order::First, None, route).await // it holds endpoints
}

async fn route_some(
    tx: &Tx,
    mint: &Mint,
    now: Timestamp,
    due: Timestamp,
) -> Result<(usize, Vec<Lane>), StoreError> {
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
        Batch { tx, mint, due, company, before, events }.matching().await
    });
    let deliveries = tx.together(placed).await?.concat();
    delivery::create(tx, &deliveries, now).await?;
    let mut lanes: Vec<Lane> = deliveries.iter().map(|delivery| delivery.lane).collect();
    lanes.sort_unstable_by_key(|lane| (lane.company, lane.webhook));
    lanes.dedup();
    lane::mark_due(tx, &lanes, due).await?;
    Ok((routed, lanes))
}

/// Events of one company that have just got their places.
struct Batch<'t> {
    tx: &'t Tx,
    mint: &'t Mint,
    /// When what does not wait before its first try is sent.
    due: Timestamp,
    company: CompanyId,
    /// The place before the first.
    before: i64,
    events: Vec<Unrouted>,
}

impl Batch<'_> {
    /// One delivery for each subscription that an event matches; a test goes to the endpoint that it tells of.
    async fn matching(self) -> Result<Vec<NewDelivery>, StoreError> {
        let subscriptions = webhook::subscriptions(self.tx, self.company).await?;
        let told = self.told(&subscriptions).await?;
        let mut deliveries = Vec::new();
        for (at, (event, place)) in self.events.iter().zip(self.before + 1..).enumerate() {
            if event.kind == EventType::WebhookTest.as_str() {
                let tested = event::tested(self.tx, self.company, event.id).await?;
                let one = subscriptions.iter().find(|subscription| subscription.webhook == tested);
                // Its id was told to whoever asked for the test.
                let id = DeliveryId::twin_of(event.id);
                deliveries.extend(one.map(|one| self.delivery(id, one, event, place)));
                continue;
            }
            let told = told.get(at);
            for one in subscriptions.iter().filter(|one| wants(one, &event.kind, told)) {
                deliveries.push(self.delivery(self.mint.next(), one, event, place));
            }
        }
        Ok(deliveries)
    }

    /// What the events say, in their order, if a filter asks for it.
    async fn told(&self, subscriptions: &[Subscription]) -> Result<Vec<Told>, StoreError> {
        if subscriptions.iter().all(|subscription| subscription.filter.is_none()) {
            return Ok(Vec::new());
        }
        let last = self.before + self.events.len() as i64;
        let events = event::placed(self.tx, self.company, self.before + 1, last).await?;
        Ok(events.into_iter().map(Told::from).collect())
    }

    fn delivery(
        &self,
        id: DeliveryId,
        subscription: &Subscription,
        event: &Unrouted,
        place: i64,
    ) -> NewDelivery {
        NewDelivery {
            id,
            lane: Lane { company: self.company, webhook: subscription.webhook },
            event: event.id,
            kind: event.kind.clone(),
            place: subscription.ordered.then_some(place),
            due: self.due.plus(subscription.wait * 1000),
        }
    }
}

/// Whether an endpoint wants an event of type `kind`.
fn wants(subscription: &Subscription, kind: &str, told: Option<&Told>) -> bool {
    subscription.events.iter().any(|pattern| pattern.matches(kind))
        && match (&subscription.filter, told) {
            (Some(filter), Some(told)) => filter.matches(kind, told.seen(subscription.sensitive)),
            (Some(_) | None, _) => true,
        }
}

/// What an event says, read when a filter asks for the first time.
struct Told {
    event: Event,
    open: OnceCell<Value>,
    whole: OnceCell<Value>,
}

impl From<Event> for Told {
    fn from(event: Event) -> Self {
        Self { event, open: OnceCell::new(), whole: OnceCell::new() }
    }
}

impl Told {
    /// For an endpoint that may see what is sensitive or not.
    fn seen(&self, sensitive: bool) -> &Value {
        let read = if sensitive { &self.whole } else { &self.open };
        read.get_or_init(|| serde_json::from_str(&self.event.seen(sensitive)).unwrap_or_default())
    }
}
