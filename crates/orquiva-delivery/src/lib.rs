//! The life of an event after its commit: it gets its place in the log and its deliveries ([`Worker::route`]),
//! its lanes are claimed, each delivery is sent, and what came of it is recorded in groups.
//!
//! Wake-ups are hints: losing one costs latency, never an event.

mod client;
mod lanes;
mod recorder;
mod router;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orquiva_core::id::Mint;
use orquiva_core::seal::MasterKey;
use orquiva_core::{Chance, Clock};
use orquiva_store::lane::Lane;
use orquiva_store::{Store, StoreError, idempotency};
use tokio::sync::{Notify, watch};

pub use client::Client;

/// How long a lost wake-up can delay anything, and how often other nodes' work is looked for.
const POLL: Duration = Duration::from_millis(250);

/// How long to wait after the database refused.
const BACK_OFF: Duration = Duration::from_secs(1);

/// All that the worker works with.
pub struct Parts {
    /// The database.
    pub store: Arc<Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for jitter.
    pub chance: Arc<dyn Chance>,
    /// The next ids.
    pub mint: Arc<Mint>,
    /// Opens the secrets of endpoints.
    pub key: Arc<MasterKey>,
    /// Sends.
    pub client: Client,
    /// Rung by whoever commits an event.
    pub wake: Arc<Notify>,
}

/// Takes events to their endpoints.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

pub(crate) struct Inner {
    parts: Parts,
    /// Rung when a lane may be due.
    due: Notify,
    /// The lanes that this node holds, and the bell of each.
    held: Mutex<HashMap<Lane, Arc<Notify>>>,
    recorder: recorder::Recorder,
}

impl Worker {
    /// A worker at rest.
    pub fn new(parts: Parts) -> Self {
        let recorder = recorder::Recorder::new(parts.store.clone(), parts.clock.clone(), parts.mint.clone());
        Self(Arc::new(Inner { parts, due: Notify::new(), held: Mutex::default(), recorder }))
    }

    /// Works until `stop` says so, then finishes what is under way and hands back its lanes.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let recording = tokio::spawn(self.clone().record(stop.clone()));
        tokio::join!(
            self.keep_routing(stop.clone()),
            self.keep_house(stop.clone()),
            self.dispatch(stop, true)
        );
        self.0.recorder.close();
        if let Err(panic) = recording.await {
            tracing::error!(%panic, "the recorder of deliveries broke down");
        }
    }

    /// Does all that is due at this moment, once, and returns when it is recorded: how tests drive the worker.
    pub async fn step(&self) -> Result<(), StoreError> {
        while self.route().await? > 0 {}
        self.deliver_due().await
    }

    async fn record(self, stop: watch::Receiver<bool>) {
        self.0.recorder.run(stop).await;
    }

    async fn keep_routing(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.route().await {
                Ok(router::MOST..) => {}
                Ok(_) => wait(&self.0.parts.wake, &mut stop, POLL).await,
                Err(cause) => {
                    tracing::error!(%cause, "events could not be routed; they wait");
                    wait(&self.0.parts.wake, &mut stop, BACK_OFF).await;
                }
            }
        }
    }

    /// Forgets what is kept for a time only.
    async fn keep_house(&self, mut stop: watch::Receiver<bool>) {
        let never = Notify::new();
        while !*stop.borrow() {
            let before = self.0.parts.clock.now().plus(-idempotency::KEPT);
            let forget = move |tx| async move { idempotency::forget(&tx, before, 1000).await };
            match self.0.parts.store.write::<_, StoreError, _, _>(None, forget).await {
                Ok(1000..) => {}
                Ok(_) => wait(&never, &mut stop, Duration::from_secs(60)).await,
                Err(cause) => {
                    tracing::warn!(%cause, "old idempotency records could not be removed");
                    wait(&never, &mut stop, Duration::from_secs(60)).await;
                }
            }
        }
    }

    /// Rings the bells of lanes that something was put into.
    fn ring(&self, lanes: &[Lane]) {
        let held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unheld = false;
        for lane in lanes {
            match held.get(lane) {
                Some(bell) => bell.notify_one(),
                None => unheld = true,
            }
        }
        if unheld {
            self.0.due.notify_one();
        }
    }
}

/// Waits for the bell, for `time`, or for the stop.
async fn wait(bell: &Notify, stop: &mut watch::Receiver<bool>, time: Duration) {
    tokio::select! {
        () = bell.notified() => {}
        () = stopped(stop) => {}
        () = tokio::time::sleep(time) => {}
    }
}

/// Waits for the stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await); // an error means that nobody is left to say it, which is a stop too
}
