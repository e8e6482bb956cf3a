//! Records what attempts led to, in groups over all lanes: one transaction for whatever waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use orquiva_core::event::{API_VERSION, Actor, EventType, NewEvent};
use orquiva_core::id::{LeaseId, Mint};
use orquiva_core::{Clock, Timestamp};
use orquiva_store::delivery::Settled;
use orquiva_store::lane::Lane;
use orquiva_store::{Store, StoreError, Tx, delivery, event, lane, webhook};
use serde_json::json;
use tokio::sync::{Notify, oneshot, watch};

use crate::parts::stopped;

/// How long a lease lasts without a sign of life, in milliseconds: a dead node's lanes are taken over after it.
pub(crate) const LEASE: i64 = 10_000;

/// Most results that one transaction records.
const MOST: usize = 256;

/// An endpoint without a success for so long is disabled: 5 days, in milliseconds.
const GIVEN_UP: i64 = 5 * 86_400_000;

/// What an attempt means for its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    Success,
    Failure,
    Pause(Timestamp),
    Gone,
}

/// The result of an attempt, under the lease by which it was made.
pub(crate) struct Report {
    pub(crate) settled: Settled,
    pub(crate) lease: LeaseId,
    pub(crate) consequence: Consequence,
}

pub(crate) struct Recorder {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    mint: Arc<Mint>,
    waiting: Mutex<Vec<(Report, oneshot::Sender<bool>)>>,
    bell: Notify,
}

impl Recorder {
    pub(crate) fn new(store: Arc<Store>, clock: Arc<dyn Clock>, mint: Arc<Mint>) -> Self {
        Self { store, clock, mint, waiting: Mutex::default(), bell: Notify::new() }
    }

    /// Hands over a report. The answer comes when it is recorded: whether the lease still held.
    pub(crate) fn submit(&self, report: Report) -> impl Future<Output = bool> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((report, reply));
        self.bell.notify_one();
        async move { answer.await.unwrap_or(false) }
    }

    /// Records what is handed over, until `last` says that nothing more comes.
    pub(crate) async fn run(&self, mut last: watch::Receiver<bool>) {
        loop {
            let group: Vec<_> = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let most = waiting.len().min(MOST);
                waiting.drain(..most).collect()
            };
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

    async fn record(&self, group: Vec<(Report, oneshot::Sender<bool>)>) {
        let (reports, replies): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let lanes: Vec<_> = reports.iter().map(|report| report.settled.lane).collect();
        let (now, mint) = (self.clock.now(), self.mint.clone());
        let reports = Arc::new(reports);
        let settle = move |tx| async move { settle(&tx, &reports, &mint, now).await };
        let held = self.store.write(None, settle).await.unwrap_or_else(|cause| {
            tracing::error!(%cause, "results were not recorded; their deliveries are repeated");
            Vec::new()
        });
        for (lane, reply) in lanes.iter().zip(replies) {
            let _stopped_lane_needs_none = reply.send(held.contains(lane));
        }
    }
}

/// Records `reports` whose lease still holds, and what follows from them; returns the lanes that are still held.
async fn settle(tx: &Tx, reports: &[Report], mint: &Mint, now: Timestamp) -> Result<Vec<Lane>, StoreError> {
    let mut lanes: BTreeMap<_, (Lane, LeaseId, Vec<&Report>)> = BTreeMap::new();
    for report in reports {
        let (lane, lease) = (report.settled.lane, report.lease);
        let entry = lanes.entry((lane.company, lane.webhook, lease)).or_insert((lane, lease, Vec::new()));
        entry.2.push(report);
    }
    let until = now.plus(LEASE);
    let held = lanes.into_values().map(|(lane, lease, reports)| async move {
        let holds = match any(&reports, Consequence::Success) {
            true => lane::succeed(tx, lane, lease, now, until).await?,
            false => lane::hold(tx, lane, lease, until).await?,
        };
        Ok::<_, StoreError>(holds.then_some((lane, reports)))
    });
    let held: Vec<_> = tx.together(held).await?.into_iter().flatten().collect();
    let settled = held.iter().flat_map(|(_, reports)| reports).map(|report| &report.settled);
    delivery::settle(tx, settled, now).await?;
    for (lane, reports) in &held {
        follow(tx, *lane, reports, mint, now).await?;
    }
    Ok(held.into_iter().map(|(lane, _)| lane).collect())
}

fn any(reports: &[&Report], wanted: Consequence) -> bool {
    reports.iter().any(|report| report.consequence == wanted)
}

/// What a group of results means for their lane: a pause, a failure noted, or its end.
async fn follow(
    tx: &Tx,
    lane: Lane,
    reports: &[&Report],
    mint: &Mint,
    now: Timestamp,
) -> Result<(), StoreError> {
    for report in reports {
        if let Consequence::Pause(until) = report.consequence {
            lane::pause(tx, lane, until).await?;
        }
    }
    if any(reports, Consequence::Gone) {
        return disable(tx, lane, "gone", mint, now).await;
    }
    if any(reports, Consequence::Failure) && !any(reports, Consequence::Success) {
        let since = lane::fail(tx, lane, now).await?;
        if since.is_some_and(|since| now.since(since) >= GIVEN_UP) {
            return disable(tx, lane, "failing", mint, now).await;
        }
    }
    Ok(())
}

/// Disables an endpoint, fails what waits for it (it stays in the log) and announces it.
async fn disable(tx: &Tx, lane: Lane, reason: &str, mint: &Mint, now: Timestamp) -> Result<(), StoreError> {
    if !webhook::disable(tx, lane.company, lane.webhook, reason, now).await? {
        return Ok(());
    }
    delivery::end_waiting(tx, lane, "failed", now).await?;
    let data = webhook::get(tx, lane.company, lane.webhook).await?;
    let payload =
        json!({ "apiVersion": API_VERSION, "companyId": lane.company, "actor": Actor::System, "data": data });
    let new = NewEvent {
        id: mint.next(),
        kind: EventType::WebhookDisabled,
        subject: lane.webhook.to_string(),
        at: now,
        payload: payload.to_string(),
        sensitive: None,
    };
    event::announce(tx, lane.company, &new).await
}
