//! The worker: router, lanes, recorder and housekeeping, together until the stop.

use std::sync::Arc;
use std::time::Duration;

use orquiva_store::delivery::tally;
use orquiva_store::{StoreError, Tx, event, idempotency, lane, usage};
use tokio::sync::{Notify, watch};

use crate::lanes::Lanes;
use crate::parts::{BACK_OFF, POLL, Parts, wait};
use crate::router::Routed;
use crate::{replay, retention, router};

/// How often events are looked for that have had their time.
const SWEEP: Duration = Duration::from_secs(600);

/// How often it is written down how deliveries came out.
const COUNT: Duration = Duration::from_secs(5);

/// Takes events to their endpoints.
#[derive(Clone)]
pub struct Worker(Arc<Lanes>);

impl Worker {
    /// A worker at rest.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Lanes::new(Arc::new(parts))))
    }

    /// Works until `stop` says so, then finishes what is under way and hands back its lanes.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let (last, finished) = watch::channel(false);
        let recording = self.0.start_recording(finished);
        if let Err(cause) = self.catch_up().await {
            tracing::warn!(%cause, "it is not known whether the clock was set back; if it was, some deliveries wait for that long");
        }
        self.take_back().await;
        tokio::join!(
            self.keep_routing(stop.clone()),
            self.keep_replaying(stop.clone()),
            self.keep_house(stop.clone()),
            self.keep_log(stop.clone()),
            self.keep_counts(stop.clone()),
            self.0.dispatch(stop, true)
        );
        last.send_replace(true);
        if let Err(panic) = recording.await {
            tracing::error!(%panic, "the recorder of deliveries broke down");
        }
        self.count().await;
    }

    /// Does all that is due at this moment, once, and returns when it is recorded: how tests drive the worker.
    pub async fn step(&self) -> Result<(), StoreError> {
        while self.route().await? > 0 {}
        while self.replay().await? {
            self.0.deliver_due().await?;
        }
        self.0.deliver_due().await?;
        self.0.write_counts().await
    }

    /// Goes on with every replay that is due; returns whether any came further.
    async fn replay(&self) -> Result<bool, StoreError> {
        let (moved, lanes) = replay::step(&self.0.parts).await?;
        self.0.ring(&lanes);
        Ok(moved)
    }

    /// Routes up to 256 events; returns how many.
    pub async fn route(&self) -> Result<usize, StoreError> {
        self.route_some(false).await
    }

    async fn route_some(&self, sure: bool) -> Result<usize, StoreError> {
        let began = self.0.turns.next();
        let Routed { count, handed } = router::route(&self.0.parts, sure).await?;
        self.0.hand_over(began, handed);
        if count > 0 {
            self.0.parts.routed.notify_one();
        }
        Ok(count)
    }

    /// Removes every event, and every delivery that arrived, that has had its time in the log.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let (_running, stop) = watch::channel(false);
        retention::sweep_deliveries(&self.0.parts, &stop).await?;
        retention::sweep(&self.0.parts, &stop).await
    }

    /// What fell due before a clock that was set back meanwhile falls due still.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let tx = self.0.parts.store.read().await?;
        if let Some(newest) = event::newest(&tx).await? {
            self.0.parts.clock.catch_up(newest);
        }
        Ok(())
    }

    /// What this server held when it was killed is due at once. The embedded database has one server: whatever is leased at
    /// its start is left over.
    async fn take_back(&self) {
        let parts = &self.0.parts;
        let (embedded, holder, now) = (parts.store.is_embedded(), parts.holder.clone(), parts.clock.steady());
        let take_back = move |tx| async move {
            match holder {
                _ if embedded => lane::take_back(&tx, now).await,
                Some(holder) => lane::take_back_of(&tx, &holder, now).await,
                None => Ok(()),
            }
        };
        if let Err(cause) = parts.store.write::<_, StoreError, _, _>(None, take_back).await {
            tracing::warn!(%cause, "lanes of the last run could not be taken back; their leases run out by themselves");
        }
    }

    async fn keep_routing(&self, mut stop: watch::Receiver<bool>) {
        let mut sure = false;
        while !*stop.borrow() {
            sure = match self.route_some(sure).await {
                Ok(router::MOST..) => true,
                Ok(_) => wait(&self.0.parts.wake, &mut stop, POLL).await,
                Err(cause) => {
                    tracing::error!(%cause, "events could not be routed; they wait");
                    wait(&self.0.parts.wake, &mut stop, BACK_OFF).await
                }
            };
        }
    }

    async fn keep_replaying(&self, mut stop: watch::Receiver<bool>) {
        let never = Notify::new();
        while !*stop.borrow() {
            match self.replay().await {
                Ok(true) => {}
                Ok(false) => _ = wait(&never, &mut stop, POLL).await,
                Err(cause) => {
                    tracing::error!(%cause, "replays could not go on; they wait");
                    wait(&never, &mut stop, BACK_OFF).await;
                }
            }
        }
    }

    /// Writes down how deliveries came out, every few seconds.
    async fn keep_counts(&self, mut stop: watch::Receiver<bool>) {
        let never = Notify::new();
        while !*stop.borrow() {
            wait(&never, &mut stop, COUNT).await;
            self.count().await;
        }
    }

    async fn count(&self) {
        if let Err(cause) = self.0.write_counts().await {
            tracing::warn!(%cause, "how deliveries came out could not be written down; it is kept for the next time");
        }
    }

    /// Forgets what is kept for a time only.
    async fn keep_house(&self, mut stop: watch::Receiver<bool>) {
        let never = Notify::new();
        while !*stop.borrow() {
            let now = self.0.parts.clock.now();
            let forget = move |tx: Tx| async move {
                let counts = tally::forget(&tx, now.plus(-usage::KEPT), 1000).await?;
                Ok(counts.max(idempotency::forget(&tx, now.plus(-idempotency::KEPT), 1000).await?))
            };
            match self.0.parts.store.write::<_, StoreError, _, _>(None, forget).await {
                Ok(1000..) => {}
                Ok(_) => _ = wait(&never, &mut stop, Duration::from_secs(60)).await,
                Err(cause) => {
                    tracing::warn!(%cause, "old idempotency records could not be removed");
                    wait(&never, &mut stop, Duration::from_secs(60)).await;
                }
            }
        }
    }

    /// Lets events leave the log when they have had their time.
    async fn keep_log(&self, mut stop: watch::Receiver<bool>) {
        let never = Notify::new();
        while !*stop.borrow() {
            if let Err(cause) = retention::sweep_deliveries(&self.0.parts, &stop).await {
                tracing::warn!(%cause, "old deliveries could not be removed; they are next time");
            }
            if let Err(cause) = retention::sweep(&self.0.parts, &stop).await {
                tracing::warn!(%cause, "old events could not be removed; they are next time");
            }
            wait(&never, &mut stop, SWEEP).await;
        }
    }
}
