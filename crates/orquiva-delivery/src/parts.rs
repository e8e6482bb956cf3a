//! What the worker works with, and how it waits.

use std::sync::Arc;
use std::time::Duration;

use orquiva_core::id::Mint;
use orquiva_core::seal::MasterKey;
use orquiva_core::{Chance, Clock};
use orquiva_store::{Store, StoreError, Tx};
use tokio::sync::{Notify, watch};

use crate::client::Client;

/// How long a lost wake-up can delay anything, and how often other nodes' work is looked for.
pub(crate) const POLL: Duration = Duration::from_millis(250);

/// How long to wait after the database refused.
pub(crate) const BACK_OFF: Duration = Duration::from_secs(1);

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
    /// The name under which lanes are held, if this server alone has it, now and when it is started again.
    pub holder: Option<String>,
    /// Rung by whoever commits an event.
    pub wake: Arc<Notify>,
    /// Rung when events have got their place in the log.
    pub routed: Arc<Notify>,
}

/// How often what must not get lost is written again while the database is away: about as long as a lease lasts.
const TRIES: usize = 40;

/// Writes what should not get lost because the database is away for a moment. What was committed although nobody heard
/// of it may be written twice.
pub(crate) async fn insist<T, F, R>(store: &Store, verb: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce(Tx) -> R + Clone + Send + 'static,
    R: Future<Output = Result<T, StoreError>> + Send,
{
    for _ in 1..TRIES {
        match store.write(None, verb.clone()).await {
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(POLL).await,
            done => return done,
        }
    }
    store.write(None, verb).await
}

/// Waits for the bell, for `time`, or for the stop; whether it was the bell.
pub(crate) async fn wait(bell: &Notify, stop: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::select! {
        () = bell.notified() => true,
        () = stopped(stop) => false,
        () = tokio::time::sleep(time) => false,
    }
}

/// Waits for the stop.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await); // an error means that nobody is left to say it, which is a stop too
}
