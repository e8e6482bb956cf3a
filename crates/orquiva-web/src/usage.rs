//! What each client uses, counted in memory and written down every few seconds in bulk: counting costs no
//! request a write. A node that is killed loses its last few seconds of counts, and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use orquiva_core::Timestamp;
use orquiva_core::id::{ClientId, CompanyId};
use orquiva_store::usage::Minute;

/// A minute, in milliseconds.
const MINUTE: i64 = 60_000;

/// What one client did since it was last written down.
#[derive(Debug)]
pub(crate) struct Meter {
    company: CompanyId,
    client: ClientId,
    counts: Mutex<Counts>,
}

/// A client's last use is written down again only when it is this much later, in milliseconds.
const LAST_USE: i64 = 60_000;

#[derive(Debug, Default)]
struct Counts {
    last_used: Option<Timestamp>,
    /// The last use as it was written down.
    written: Option<Timestamp>,
    /// In the order in which they came: nearly always one.
    minutes: Vec<Minute>,
}

impl Meter {
    /// Notes that the client was there.
    pub(crate) fn touch(&self, now: Timestamp) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.last_used = counts.last_used.max(Some(now));
    }

    /// Counts a request that was answered with `status`.
    pub(crate) fn count(&self, status: u16, now: Timestamp) {
        let (company, client) = (self.company, self.client);
        let start = Timestamp::from_millis(now.millis().div_euclid(MINUTE) * MINUTE);
        let (refused, errors) = (i64::from(status == 429), i64::from(status >= 400 && status != 429));
        self.add(now, Minute { company, client, start, requests: 1, refused, errors });
    }

    fn add(&self, now: Timestamp, more: Minute) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.last_used = counts.last_used.max(Some(now));
        match counts.minutes.iter_mut().rev().find(|one| one.start == more.start) {
            Some(one) => {
                one.requests += more.requests;
                one.refused += more.refused;
                one.errors += more.errors;
            }
            None => counts.minutes.push(more),
        }
    }
}

/// The meters of all clients that were here lately.
#[derive(Debug, Default)]
pub(crate) struct Usage(Mutex<HashMap<ClientId, Arc<Meter>>>);

/// What was taken from the meters, in the order of its keys.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) minutes: Vec<Minute>,
    pub(crate) uses: Vec<(CompanyId, ClientId, Timestamp)>,
}

impl Taken {
    /// Keeps the first `most` of each, and returns the rest.
    pub(crate) fn split(&mut self, most: usize) -> Self {
        let minutes = self.minutes.split_off(most.min(self.minutes.len()));
        Self { minutes, uses: self.uses.split_off(most.min(self.uses.len())) }
    }
}

impl Usage {
    /// The meter of a client.
    pub(crate) fn meter(&self, company: CompanyId, client: ClientId) -> Arc<Meter> {
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Meter { company, client, counts: Mutex::default() });
        meters.entry(client).or_insert_with(new).clone()
    }

    /// Takes everything that was counted; of last uses, unless it is for the last time, those that moved by a
    /// minute. Meters that nobody holds any more are forgotten on the way.
    pub(crate) fn take(&self, last_time: bool) -> Taken {
        let mut taken = Taken::default();
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meters.retain(|client, meter| {
            let mut counts = meter.counts.lock().unwrap_or_else(PoisonError::into_inner);
            taken.minutes.append(&mut counts.minutes);
            let held = Arc::strong_count(meter) > 1;
            let due = |at: Timestamp| counts.written.is_none_or(|written| at.since(written) >= LAST_USE);
            if let Some(at) = counts.last_used.filter(|at| last_time || !held || due(*at)) {
                taken.uses.push((meter.company, *client, at));
                counts.written = counts.last_used.take();
            }
            held
        });
        taken.minutes.sort_unstable_by_key(|one| (one.company, one.start, one.client));
        taken.uses.sort_unstable();
        taken
    }

    /// Gives back what could not be written down: it is written with what comes next.
    pub(crate) fn give_back(&self, taken: Taken) {
        for (company, client, at) in taken.uses {
            let meter = self.meter(company, client);
            meter.touch(at);
            meter.counts.lock().unwrap_or_else(PoisonError::into_inner).written = None;
        }
        for one in taken.minutes {
            self.meter(one.company, one.client).add(one.start, one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orquiva_core::chance::SeededChance;
    use orquiva_core::id::Mint;
    use orquiva_core::time::FrozenClock;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_lost_or_counted_twice_however_often_it_is_taken_and_given_back(
            steps in prop::collection::vec((0_usize..3, 0_i64..40_000, prop::sample::select(vec![200_u16, 304, 404, 429, 500]), 0_u8..6), 0..120),
        ) {
            let start = Timestamp::from_millis(1_767_225_600_000);
            let mint = Mint::new(Arc::new(FrozenClock::at(start)), Arc::new(SeededChance::new(1)));
            let clients: Vec<(CompanyId, ClientId)> = (0..3).map(|_| (mint.next(), mint.next())).collect();
            let usage = Usage::default();
            let (mut now, mut written, mut expected) = (start, [0, 0, 0], [0, 0, 0]);
            let mut write = |taken: Taken| for one in &taken.minutes {
                written[0] += one.requests;
                written[1] += one.refused;
                written[2] += one.errors;
                assert_eq!(one.start.millis() % MINUTE, 0);
            };
            for (client, step, status, then) in steps {
                now = now.plus(step);
                let (company, client) = clients[client];
                usage.meter(company, client).count(status, now);
                expected[0] += 1;
                expected[1] += i64::from(status == 429);
                expected[2] += i64::from(status == 404 || status == 500);
                match then {
                    0 => write(usage.take(false)),
                    1 => usage.give_back(usage.take(false)),
                    _ => {}
                }
            }
            write(usage.take(true));
            prop_assert_eq!(written, expected);
            prop_assert!(usage.take(false).uses.is_empty());
        }
    }
}
