//! The breaker of a lane: an endpoint that takes nothing is asked rarely, and what waits for it keeps its tries.

use crate::Timestamp;
use crate::id::DeliveryId;

/// Failures in a row, each of another delivery, after which it opens.
const IN_A_ROW: u32 = 5;

/// How many of the last outcomes are remembered.
const WINDOW: u32 = 20;

/// It opens when so many of them were failures.
const MOST_FAILED: u32 = WINDOW / 2;

/// Deliveries that failed of late, whose next failure tells nothing new.
const REMEMBERED: usize = 5;

/// The waits before each probe, in seconds; the last one again and again.
pub const PROBES: [i64; 5] = [30, 60, 120, 300, 600];

/// Counts what comes of calls. A delivery that fails again and again while others arrive, or alone, never opens it: it
/// has its own schedule, and its failure says more about itself than about the endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row that told something new.
    failures: u32,
    /// The deliveries that failed last, the latest first.
    failed: Vec<DeliveryId>,
    /// The last outcomes as bits, a failure is 1, the latest last; behind a 1 that stands for none.
    outcomes: u32,
    /// How many probes were put off: 0 while it is closed.
    trips: u32,
    /// How many calls at once are allowed while the endpoint recovers; nothing: all.
    slow_start: Option<u32>,
}

/// A breaker as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Failures in a row.
    pub failures: i64,
    /// The deliveries that failed last, parted by spaces.
    pub failed: Option<String>,
    /// The last outcomes as bits.
    pub outcomes: i64,
    /// How many probes were put off.
    pub trips: i64,
    /// How many calls at once are allowed.
    pub slow_start: Option<i64>,
}

impl Breaker {
    /// Reads what was stored; nonsense is read as closed.
    pub fn stored(stored: &Stored) -> Self {
        let count = |value: i64| u32::try_from(value).unwrap_or_default();
        let failed = stored.failed.as_deref().unwrap_or_default().split(' ').filter_map(DeliveryId::parse);
        Self {
            failures: count(stored.failures),
            failed: failed.take(REMEMBERED).collect(),
            outcomes: count(stored.outcomes),
            trips: count(stored.trips),
            slow_start: stored.slow_start.map(count).filter(|width| *width > 0),
        }
    }

    /// As it is stored.
    pub fn to_stored(&self) -> Stored {
        let failed: Vec<_> = self.failed.iter().map(ToString::to_string).collect();
        Stored {
            failures: self.failures.into(),
            failed: (!failed.is_empty()).then(|| failed.join(" ")),
            outcomes: self.outcomes.into(),
            trips: self.trips.into(),
            slow_start: self.slow_start.map(i64::from),
        }
    }

    /// Whether only probes are sent.
    pub fn is_open(&self) -> bool {
        self.trips > 0
    }

    /// How many calls may be under way at once, of the `cap` that the endpoint takes.
    pub fn width(&self, cap: usize) -> usize {
        match self.slow_start {
            _ if self.is_open() => 1,
            Some(width) => cap.min(width as usize),
            None => cap,
        }
    }

    /// The endpoint took something: it is closed, and if it was open the endpoint starts slowly, up to `cap`.
    pub fn succeed(&mut self, cap: usize) {
        self.failures = 0;
        if self.is_open() {
            *self = Self { slow_start: Some(1).filter(|_| cap > 1), ..Self::default() };
            return;
        }
        self.note(false);
        self.slow_start = self.slow_start.map(|width| width * 2).filter(|width| (*width as usize) < cap);
    }

    /// The endpoint took `delivery` not; returns when it is probed if that opened it.
    pub fn fail(&mut self, delivery: DeliveryId, now: Timestamp) -> Option<Timestamp> {
        if self.is_open() || self.failed.contains(&delivery) {
            return None;
        }
        self.failed.insert(0, delivery);
        self.failed.truncate(REMEMBERED);
        self.failures += 1;
        self.note(true);
        self.slow_start = self.slow_start.map(|_| 1);
        let seen = self.outcomes.checked_ilog2().unwrap_or_default();
        let failed = self.outcomes.count_ones().saturating_sub(1);
        let opens = self.failures >= IN_A_ROW || (seen == WINDOW && failed >= MOST_FAILED);
        opens.then(|| self.put_off(now))
    }

    /// A probe failed; returns when the next one is sent.
    pub fn fail_probe(&mut self, now: Timestamp) -> Timestamp {
        self.put_off(now)
    }

    fn put_off(&mut self, now: Timestamp) -> Timestamp {
        self.trips = self.trips.saturating_add(1);
        let at = (self.trips as usize).min(PROBES.len()) - 1;
        now.plus(PROBES[at] * 1000)
    }

    fn note(&mut self, failed: bool) {
        let outcomes = self.outcomes.max(1) << 1 | u32::from(failed);
        let full = 1 << WINDOW;
        self.outcomes = if outcomes < 2 * full { outcomes } else { full | outcomes & (full - 1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;
    use crate::id::Mint;
    use crate::time::FrozenClock;
    use proptest::prelude::*;
    use std::sync::Arc;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn deliveries(count: usize) -> Vec<DeliveryId> {
        let mint = Mint::new(Arc::new(FrozenClock::at(NOW)), Arc::new(SeededChance::new(1)));
        (0..count).map(|_| mint.next()).collect()
    }

    #[test]
    fn five_different_deliveries_in_a_row_open_it_and_probes_come_ever_later() {
        let mut breaker = Breaker::default();
        let ids = deliveries(5);
        assert!(ids[..4].iter().all(|id| breaker.fail(*id, NOW).is_none()));
        let mut waits = vec![breaker.fail(ids[4], NOW).expect("the fifth opens").since(NOW) / 1000];
        assert_eq!((breaker.is_open(), breaker.width(32)), (true, 1));
        waits.extend((0..6).map(|_| breaker.fail_probe(NOW).since(NOW) / 1000));
        assert_eq!(waits, [30, 60, 120, 300, 600, 600, 600]);
        let mut widths = Vec::new();
        for _ in 0..5 {
            breaker.succeed(10);
            widths.push(breaker.width(10));
        }
        assert_eq!(widths, [1, 2, 4, 8, 10], "it starts slowly");
    }

    #[test]
    fn half_of_the_last_twenty_open_it() {
        let mut breaker = Breaker::default();
        let opened = deliveries(40).into_iter().enumerate().position(|(at, id)| match at % 2 {
            0 => {
                breaker.succeed(4);
                false
            }
            _ => breaker.fail(id, NOW).is_some(),
        });
        assert_eq!(opened, Some(19));
        let mut better = Breaker::default();
        for (at, id) in deliveries(300).into_iter().enumerate() {
            match at % 9 {
                0 | 2 | 4 | 6 => assert!(better.fail(id, NOW).is_none(), "four of nine"),
                _ => better.succeed(4),
            }
        }
    }

    proptest! {
        #[test]
        fn four_deliveries_that_fail_again_and_again_never_open_it(steps in prop::collection::vec(0_usize..8, 0..400)) {
            let ids = deliveries(4);
            let mut breaker = Breaker::default();
            for step in steps {
                match ids.get(step) {
                    Some(id) => prop_assert!(breaker.fail(*id, NOW).is_none()),
                    None => breaker.succeed(4),
                }
                prop_assert!(!breaker.is_open());
            }
        }

        #[test]
        fn it_opens_only_on_five_in_a_row_or_half_of_twenty(steps in prop::collection::vec(any::<bool>(), 1..200)) {
            let mut breaker = Breaker::default();
            let ids = deliveries(steps.len());
            let mut seen: Vec<bool> = Vec::new();
            for (id, fails) in ids.into_iter().zip(steps) {
                seen.push(fails);
                let opened = match fails {
                    true => breaker.fail(id, NOW).is_some(),
                    false => {
                        breaker.succeed(4);
                        false
                    }
                };
                let row = seen.iter().rev().take_while(|fails| **fails).count() >= 5;
                let half = seen.len() >= 20 && seen.iter().rev().take(20).filter(|fails| **fails).count() >= 10;
                prop_assert_eq!(opened, fails && (row || half));
                if opened {
                    breaker.succeed(4);
                    prop_assert!(!breaker.is_open());
                    seen.clear();
                }
                let again = Breaker::stored(&breaker.to_stored());
                prop_assert_eq!(&again, &breaker, "what is stored is what is read");
                prop_assert!((1..=4).contains(&breaker.width(4)));
            }
        }
    }
}
