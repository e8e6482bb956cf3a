//! Records what attempts led to, in groups over all lanes: one transaction for whatever waits.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use orquiva_core::event::{API_VERSION, Actor, EventType, NewEvent};
use orquiva_core::id::{LeaseId, Mint};
use orquiva_core::webhook::pace::{News, Pace};
use orquiva_core::{Clock, Timestamp};
use orquiva_store::delivery::Settled;
use orquiva_store::lane::{Kept, Known, Lane};
use orquiva_store::notice::{self, Notice};
use orquiva_store::{Store, StoreError, Tx, delivery, event, lane, webhook};
use serde_json::json;
use tokio::sync::{Notify, oneshot, watch};

use crate::parts::{insist, stopped};
use crate::tally::Tally;

/// How long a lease lasts without a sign of life, in milliseconds: a dead node's lanes are taken over after it.
pub(crate) const LEASE: i64 = 10_000;

/// Most results that one transaction records.
const MOST: usize = 1024;

/// Results that wait after a full group was taken, of which the recorder is behind; and of which it no longer is.
const MANY: usize = MOST;
const FEW: usize = MOST / 4;

/// What waits for an endpoint is counted up to so many.
const MOST_COUNTED: i64 = 10_000;

/// The result of an attempt, under the lease by which it was made, and what is remembered of the endpoint since then.
pub(crate) struct Report {
    pub(crate) settled: Settled,
    pub(crate) lease: LeaseId,
    pub(crate) known: Known,
    /// Whether that is to be stored, and the lease prolonged: it is not the same as last time, or that was long ago.
    pub(crate) keeps: bool,
    /// When the endpoint took it, if it did.
    pub(crate) success: Option<Timestamp>,
    /// What the endpoint's owner has to know of it.
    pub(crate) news: Option<News>,
}

/// A report, and whoever waits until it is recorded.
type Handed = (Report, oneshot::Sender<Option<i64>>);

pub(crate) struct Recorder {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    mint: Arc<Mint>,
    waiting: Mutex<Vec<Handed>>,
    bell: Notify,
    /// How deliveries came out.
    pub(crate) tally: Tally,
}

impl Recorder {
    pub(crate) fn new(store: Arc<Store>, clock: Arc<dyn Clock>, mint: Arc<Mint>) -> Self {
        Self { store, clock, mint, waiting: Mutex::default(), bell: Notify::new(), tally: Tally::default() }
    }

    /// Hands over a report. The answer comes when it is recorded: how often someone else has changed what is remembered
    /// of the endpoint, and nothing if the lease no longer held.
    pub(crate) fn submit(&self, report: Report) -> impl Future<Output = Option<i64>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((report, reply));
        self.bell.notify_one();
        async move { answer.await.unwrap_or_default() }
    }

    /// Records what is handed over, until `last` says that nothing more comes.
    pub(crate) async fn run(&self, mut last: watch::Receiver<bool>) {
        loop {
            let (group, left): (Vec<_>, _) = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let most = waiting.len().min(MOST);
                (waiting.drain(..most).collect(), waiting.len())
            };
            match left {
                MANY.. => self.store.fall_behind(true),
                ..=FEW => self.store.fall_behind(false),
                _ => {}
            }
            if group.is_empty() {
                tokio::select! {
                    biased;
                    () = self.bell.notified() => continue,
                    () = stopped(&mut last) => return,
                }
            }
            self.record(group).await;
        }
    }

    async fn record(&self, group: Vec<Handed>) {
        let (reports, replies): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let leases: Vec<_> = reports.iter().map(|report| (report.settled.lane, report.lease)).collect();
        let (clock, mint) = (self.clock.clone(), self.mint.clone());
        let reports = Arc::new(reports);
        let (settled_at, recorded) = (self.clock.now(), reports.clone());
        let settle = move |tx| async move { settle(&tx, &reports, &mint, clock.as_ref()).await };
        // What is recorded in the end is not sent again, if its lease lasts for so long.
        let held = insist(&self.store, settle).await.unwrap_or_else(|cause| {
            tracing::error!(%cause, "results were not recorded; their deliveries are repeated");
            HashMap::new()
        });
        for report in recorded.iter().filter(|report| held.contains_key(&(report.settled.lane, report.lease)))
        {
            self.tally.count(&report.settled, settled_at);
        }
        for (lease, reply) in leases.iter().zip(replies) {
            let _stopped_lane_needs_none = reply.send(held.get(lease).copied());
        }
    }
}

/// Records `reports` whose lease still holds, and what follows from them; returns the leases that do, each with how
/// often someone else has changed what is remembered of the endpoint.
async fn settle(
    tx: &Tx,
    reports: &[Report],
    mint: &Mint,
    clock: &dyn Clock,
) -> Result<HashMap<(Lane, LeaseId), i64>, StoreError> {
    let mut lanes: BTreeMap<(Lane, LeaseId), Vec<&Report>> = BTreeMap::new();
    for report in reports {
        lanes.entry((report.settled.lane, report.lease)).or_default().push(report);
    }
    let (now, until) = (clock.now(), clock.steady().plus(LEASE));
    for ((lane, _), reports) in &lanes {
        if reports.iter().any(|report| matches!(report.news, Some(News::Disabled(_)))) {
            hold(tx, *lane).await?;
        }
    }
    let held = lane::held(tx, &lanes.keys().copied().collect::<Vec<_>>()).await?;
    lanes.retain(|lease, _| held.contains_key(lease));
    let mut kept = Vec::with_capacity(lanes.len());
    for (lease, reports) in &lanes {
        // The last report knows all before it. What it knew before someone else changed it is not stored over that.
        let keeps = reports.iter().any(|report| report.keeps);
        let last = reports.last().filter(|last| keeps && held.get(lease) == Some(&last.known.changes));
        let success = reports.iter().filter_map(|report| report.success).max();
        kept.extend(last.map(|last| Kept { lane: lease.0, pace: &last.known.pace, success }));
    }
    let settled = lanes.values().flatten().map(|report| &report.settled);
    tokio::try_join!(biased; lane::keep(tx, &kept, until), delivery::settle(tx, settled, now))?;
    for (lease @ (lane, _), reports) in &lanes {
        for report in reports {
            // That it takes nothing for long is no news of one that was resumed meanwhile; that it is gone still is.
            let stale = |news: &News| {
                *news != News::Disabled("gone") && held.get(lease) != Some(&report.known.changes)
            };
            if let Some(news) = report.news.filter(|news| !stale(news)) {
                tell(tx, *lane, news, &report.known.pace, mint, now).await?;
            }
        }
    }
    Ok(held)
}

/// Holds an endpoint that is to be disabled: before its lane, as everyone does. One that is gone needs no holding.
async fn hold(tx: &Tx, lane: Lane) -> Result<(), StoreError> {
    match webhook::hold(tx, lane.company, lane.webhook).await {
        Ok(_) | Err(StoreError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Tells of an endpoint that takes nothing, by an event and by a notice. One that is given up is disabled, and what waits
/// for it fails, a piece of it at once; it stays in the log.
async fn tell(
    tx: &Tx,
    lane: Lane,
    news: News,
    pace: &Pace,
    mint: &Mint,
    now: Timestamp,
) -> Result<(), StoreError> {
    let waiting = delivery::log::waiting(tx, lane.company, Some(lane.webhook), MOST_COUNTED).await?;
    let kind = match news {
        News::Failing => EventType::WebhookFailing,
        News::Disabled(reason) => {
            if !webhook::disable(tx, lane.company, lane.webhook, reason, now).await? {
                return Ok(());
            }
            delivery::end_some(tx, lane, "failed", now).await?; // whoever works the lane ends the rest
            EventType::WebhookDisabled
        }
    };
    let mut data = match webhook::get(tx, lane.company, lane.webhook).await {
        Ok(endpoint) => json!(endpoint),
        Err(StoreError::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    if news == News::Failing {
        data["failingSince"] = json!(pace.failing_since);
        data["waiting"] = json!(waiting);
    }
    let payload =
        json!({ "apiVersion": API_VERSION, "companyId": lane.company, "actor": Actor::System, "data": data });
    let new = NewEvent {
        id: mint.next(),
        kind,
        subject: lane.webhook.to_string(),
        at: now,
        payload: payload.to_string(),
        sensitive: None,
    };
    event::announce(tx, lane.company, &new).await?;
    let data = json!({
        "url": data["url"],
        "description": data["description"],
        "disabledReason": data["disabledReason"],
        "failingSince": pace.failing_since,
        "waiting": waiting,
    });
    let notice = Notice {
        id: mint.next(),
        kind: kind.as_str().to_owned(),
        webhook: lane.webhook,
        data,
        created_at: now,
        read_at: None,
    };
    notice::create(tx, lane.company, &notice).await
}
