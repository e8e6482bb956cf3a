//! How deliveries came out, counted in memory and written down every few seconds in bulk: counting costs no delivery a
//! write. A node that is killed loses its last few seconds of counts, and nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use orquiva_core::Timestamp;
use orquiva_core::id::CompanyId;
use orquiva_store::delivery::tally::{self, Counts};
use orquiva_store::delivery::{Settled, State};
use orquiva_store::{Store, StoreError};

/// A minute, in milliseconds.
const MINUTE: i64 = 60_000;

/// What was counted since it was last written down, in the order in which it is written.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(CompanyId, Timestamp), Counts>>);

impl Tally {
    /// Counts what an attempt led to.
    pub(crate) fn count(&self, settled: &Settled, now: Timestamp) {
        let duration = settled.attempt.duration;
        let mut one = Counts { millis: duration, slowest: duration, ..Counts::default() };
        match settled.state {
            State::Delivered => one.delivered = 1,
            State::Waiting(..) => one.retried = 1,
            State::Failed => one.failed = 1,
        }
        let minute = Timestamp::from_millis(now.millis().div_euclid(MINUTE) * MINUTE);
        self.add([((settled.lane.company, minute), one)]);
    }

    fn add(&self, more: impl IntoIterator<Item = ((CompanyId, Timestamp), Counts)>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, one) in more {
            let counts = known.entry(key).or_default();
            counts.delivered += one.delivered;
            counts.retried += one.retried;
            counts.failed += one.failed;
            counts.millis += one.millis;
            counts.slowest = counts.slowest.max(one.slowest);
        }
    }

    /// Writes down what was counted; what could not be written is kept for the next time.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if taken.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = taken.into_iter().collect();
        let written = rows.clone();
        let write = move |tx| async move { tally::add(&tx, &written).await };
        let done = store.write::<_, StoreError, _, _>(None, write).await;
        if done.is_err() {
            self.add(rows);
        }
        done
    }
}
