//! The router: gives committed events their place in the company's log and makes their deliveries.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use orquiva_core::Timestamp;
use orquiva_core::event::{EventType, shows_custom_values};
use orquiva_core::id::{CompanyId, DeliveryId, Mint};
use orquiva_store::delivery::{Due, NewDelivery};
use orquiva_store::event::{Event, Unrouted};
use orquiva_store::lane::Lane;
use orquiva_store::webhook::Subscription;
use orquiva_store::{Order, StoreError, Tx, delivery, event, lane, webhook};
use serde_json::Value;

use crate::mailbox::Handed;
use crate::parts::Parts;

/// Most events that are routed in one transaction: few enough not to hold up a hire.
pub(crate) const MOST: usize = 256;

/// What came of it.
#[derive(Default)]
pub(crate) struct Routed {
    /// How many events were routed.
    pub(crate) count: usize,
    /// What was put into each lane.
    pub(crate) handed: BTreeMap<Lane, Handed>,
}

/// Routes up to [`MOST`] events. An event that matches nobody stays in the log. Whoever is `sure` that there is one does
/// not look first.
pub(crate) async fn route(parts: &Parts, sure: bool) -> Result<Routed, StoreError> {
    if !sure {
        let tx = parts.store.read().await?;
        if event::unrouted(&tx, 1).await?.is_empty() {
            return Ok(Routed::default());
        }
    }
    let (mint, now, due) = (parts.mint.clone(), parts.clock.now(), parts.clock.steady());
    let route = move |tx| async move { route_some(&tx, &mint, now, due).await };
    parts.store.write_in(Order::First, None, route).await // it holds endpoints
}

async fn route_some(tx: &Tx, mint: &Mint, now: Timestamp, due: Timestamp) -> Result<Routed, StoreError> {
    let ((), unrouted) = tokio::try_join!(biased; event::lock_routing(tx), event::unrouted(tx, MOST as i64))?;
    if unrouted.is_empty() {
        return Ok(Routed::default());
    }
    let mut counts: BTreeMap<CompanyId, i64> = BTreeMap::new();
    for event in &unrouted {
        *counts.entry(event.company).or_default() += 1;
    }
    let companies: Vec<_> = counts.keys().copied().collect();
    let (mut last, subscriptions) =
        tokio::try_join!(event::reserve(tx, &counts), webhook::subscriptions(tx, &companies))?;
    let place = |event: &Unrouted| {
        let last = last.entry(event.company).or_default();
        *last += 1;
        (event.company, event.position, *last)
    };
    let places: Vec<_> = unrouted.iter().map(place).collect();
    let mut placed = event::place(tx, &places).await?;
    let (mut deliveries, mut handed) = (Vec::new(), BTreeMap::new());
    for Unrouted { company, id, .. } in &unrouted {
        let told = placed.remove(id).map(Told::from).ok_or(StoreError::NotFound)?;
        let subscriptions = subscriptions.get(company).map_or(&[][..], Vec::as_slice);
        let matching = Matching { tx, mint, due, company: *company, told, subscriptions };
        for (delivery, subscription) in matching.deliveries().await? {
            matching.hand_over(&delivery, subscription, handed.entry(delivery.lane).or_default());
            deliveries.push(delivery);
        }
    }
    let lanes: Vec<Lane> = handed.keys().copied().collect();
    tokio::try_join!(biased; lane::mark_due(tx, &lanes, due), delivery::create(tx, &deliveries, now))?;
    Ok(Routed { count: unrouted.len(), handed })
}

/// An event that has just got its place, and those that may want it.
struct Matching<'t> {
    tx: &'t Tx,
    mint: &'t Mint,
    /// When what does not wait before its first try is sent.
    due: Timestamp,
    company: CompanyId,
    told: Told,
    subscriptions: &'t [Subscription],
}

impl Matching<'_> {
    /// One delivery for each subscription that it matches; a test goes to the endpoint that it tells of.
    async fn deliveries(&self) -> Result<Vec<(NewDelivery, &Subscription)>, StoreError> {
        let event = &self.told.event;
        if event.kind == EventType::WebhookTest.as_str() {
            let tested = event::tested(self.tx, self.company, event.id).await?;
            let one = self.subscriptions.iter().find(|subscription| subscription.webhook == tested);
            // Its id was told to whoever asked for the test.
            return Ok(one
                .map(|one| (self.delivery(DeliveryId::twin_of(event.id), one), one))
                .into_iter()
                .collect());
        }
        let wanting = self.subscriptions.iter().filter(|one| self.told.is_wanted_by(one));
        Ok(wanting.map(|one| (self.delivery(self.mint.next(), one), one)).collect())
    }

    /// Puts a delivery beside the others of its lane that may be sent as soon as they are stored. What has a place in an
    /// order is not among them (what comes before it may still have to be read), nor what may have become sensitive.
    fn hand_over(&self, delivery: &NewDelivery, subscription: &Subscription, handed: &mut Handed) {
        handed.version = subscription.version;
        let shows = shows_custom_values(&self.told.event.payload);
        if shows || delivery.place.is_some() || delivery.due > self.due {
            handed.has_more = true;
            return;
        }
        handed.due.push(Due {
            id: delivery.id,
            attempts: 0,
            first_due_at: delivery.due,
            replay: false,
            placed: false,
            event: self.told.event.clone(),
        });
    }

    fn delivery(&self, id: DeliveryId, subscription: &Subscription) -> NewDelivery {
        let event = &self.told.event;
        NewDelivery {
            id,
            lane: Lane { company: self.company, webhook: subscription.webhook },
            event: event.id,
            kind: event.kind.clone(),
            place: subscription.ordered.then_some(event.sequence),
            due: self.due.plus(subscription.wait * 1000),
        }
    }
}

/// What an event says, read when a filter asks for the first time.
struct Told {
    event: Arc<Event>,
    open: OnceLock<Value>,
    whole: OnceLock<Value>,
}

impl From<Event> for Told {
    fn from(event: Event) -> Self {
        Self { event: Arc::new(event), open: OnceLock::new(), whole: OnceLock::new() }
    }
}

impl Told {
    fn is_wanted_by(&self, subscription: &Subscription) -> bool {
        let kind = &self.event.kind;
        subscription.events.iter().any(|pattern| pattern.matches(kind))
            && match &subscription.filter {
                Some(filter) => filter.matches(kind, self.seen(subscription.sensitive)),
                None => true,
            }
    }

    /// For an endpoint that may see what is sensitive or not.
    fn seen(&self, sensitive: bool) -> &Value {
        let read = if sensitive { &self.whole } else { &self.open };
        read.get_or_init(|| serde_json::from_str(&self.event.seen(sensitive)).unwrap_or_default())
    }
}
