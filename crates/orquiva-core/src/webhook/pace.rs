//! The pace of a lane: whether a call may start now, and what comes of one for its delivery and for the endpoint.
//! Pure, so the worker and a simulated week run the same rules.

use super::breaker::Breaker;
use super::bucket::Bucket;
use super::outcome::Outcome;
use crate::Timestamp;
use crate::id::DeliveryId;

const HOUR: i64 = 3_600_000;

/// An endpoint's administrators are warned after so long without a success, in milliseconds: 1 h, 24 h, 72 h.
pub const WARNINGS: [i64; 3] = [HOUR, 24 * HOUR, 72 * HOUR];

/// An endpoint without a success for so long is disabled: 5 days, in milliseconds.
pub const GIVEN_UP: i64 = 5 * 24 * HOUR;

/// What a lane remembers of its endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Keeps an endpoint that takes nothing from being asked.
    pub breaker: Breaker,
    /// Keeps calls to the rate.
    pub bucket: Bucket,
    /// Nothing is sent before: the endpoint, or its owner, asked for it.
    pub paused_until: Timestamp,
    /// Nothing is sent before either: the breaker waits with its next probe. Over as soon as the endpoint takes something.
    pub probe_at: Timestamp,
    /// Since when the endpoint takes nothing.
    pub failing_since: Option<Timestamp>,
    /// Warnings that were given since then.
    pub warned: usize,
}

/// What an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most calls at once.
    pub at_once: usize,
    /// Most calls a second, if there is such a limit.
    pub per_second: Option<i64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { at_once: 1, per_second: None }
    }
}

/// Whether a call may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Now.
    Now,
    /// Not before this moment.
    At(Timestamp),
    /// When one that is under way is over.
    Later,
}

/// A call that was started.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What was sent.
    pub delivery: DeliveryId,
    /// When its attempt first fell due.
    pub first_due: Timestamp,
    /// Whether it was sent to see if the endpoint takes anything again.
    pub probe: bool,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Delivered,
    /// It is sent again.
    Again {
        /// Not before.
        due: Timestamp,
        /// When that attempt first fell due.
        first_due: Timestamp,
        /// Whether the attempt counts.
        spent: bool,
    },
    /// It ran out of tries, or its endpoint is gone. It stays.
    Failed,
}

/// What the endpoint's owner has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It has taken nothing for long.
    Failing,
    /// It is disabled, for this reason.
    Disabled(&'static str),
}

/// What comes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What becomes of the delivery.
    pub fate: Fate,
    /// What the endpoint's owner has to know.
    pub news: Option<News>,
    /// Whether the lane rests now.
    pub rests: bool,
}

impl Pace {
    /// Whether a call may start at `now`, beside `busy` others.
    pub fn ready(&self, limits: Limits, busy: usize, now: Timestamp) -> Ready {
        if busy >= self.breaker.width(limits.at_once) {
            return Ready::Later;
        }
        let rate = limits.per_second.map_or(now, |rate| self.bucket.ready(rate, now));
        match self.rests_until().max(rate) {
            at if at > now => Ready::At(at),
            _ => Ready::Now,
        }
    }

    /// The end of all pauses. It is stored as one: the calls that could shorten it are over when a lane is given back.
    pub fn rests_until(&self) -> Timestamp {
        self.paused_until.max(self.probe_at)
    }

    /// A call starts; whether it is a probe.
    pub fn start(&mut self, limits: Limits, now: Timestamp) -> bool {
        if let Some(rate) = limits.per_second {
            self.bucket.take(rate, now);
        }
        self.breaker.is_open()
    }

    /// A call is over.
    pub fn settle(&mut self, call: Call, outcome: Outcome, limits: Limits, now: Timestamp) -> Verdict {
        let calm = |fate| Verdict { fate, news: None, rests: false };
        match outcome {
            Outcome::Delivered => {
                self.breaker.succeed(limits.at_once);
                self.probe_at = Timestamp::default();
                self.failing_since = None;
                self.warned = 0;
                calm(Fate::Delivered)
            }
            Outcome::Defer(until) => {
                self.paused_until = self.paused_until.max(until);
                let fate = Fate::Again { due: until, first_due: call.first_due, spent: false };
                Verdict { rests: true, ..calm(fate) }
            }
            Outcome::Gone => Verdict { fate: Fate::Failed, news: Some(News::Disabled("gone")), rests: true },
            Outcome::Retry(at) => self.fail(call, Fate::Again { due: at, first_due: at, spent: true }, now),
            Outcome::Exhausted => self.fail(call, Fate::Failed, now),
        }
    }

    /// The endpoint took something not. A probe that fails costs its delivery nothing but its turn: the next probe takes
    /// another one, because the endpoint may have something against this one only.
    fn fail(&mut self, call: Call, fate: Fate, now: Timestamp) -> Verdict {
        let probe = call.probe && self.breaker.is_open();
        let (fate, until) = match probe {
            true => {
                let fate = Fate::Again { due: now, first_due: call.first_due, spent: false };
                (fate, Some(self.breaker.fail_probe(now)))
            }
            false => (fate, self.breaker.fail(call.delivery, now)),
        };
        self.probe_at = self.probe_at.max(until.unwrap_or_default());
        let news = self.news(now);
        let rests = until.is_some() || matches!(news, Some(News::Disabled(_)));
        Verdict { fate, news, rests }
    }

    fn news(&mut self, now: Timestamp) -> Option<News> {
        let silent = now.since(*self.failing_since.get_or_insert(now));
        if silent >= GIVEN_UP {
            return Some(News::Disabled("failing"));
        }
        let due = WARNINGS.iter().filter(|after| silent >= **after).count();
        let news = (due > self.warned).then_some(News::Failing);
        self.warned = self.warned.max(due);
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;
    use crate::id::Mint;
    use crate::time::FrozenClock;
    use std::sync::Arc;

    const LIMITS: Limits = Limits { at_once: 4, per_second: None };

    fn call(mint: &Mint, probe: bool) -> Call {
        Call { delivery: mint.next(), first_due: Timestamp::default(), probe }
    }

    #[test]
    fn an_endpoint_that_takes_nothing_is_told_of_three_times_and_then_disabled() {
        let start = Timestamp::from_millis(1_767_225_600_000);
        let mint = Mint::new(Arc::new(FrozenClock::at(start)), Arc::new(SeededChance::new(1)));
        let mut pace = Pace::default();
        let mut told = Vec::new();
        for quarter in 0..481 {
            let now = start.plus(quarter * HOUR / 4);
            let probe = pace.start(LIMITS, now);
            let verdict = pace.settle(call(&mint, probe), Outcome::Retry(now), LIMITS, now);
            assert_eq!(
                matches!(verdict.fate, Fate::Again { spent: false, .. }),
                probe,
                "only probes are free"
            );
            told.extend(verdict.news.map(|news| (quarter as f64 / 4.0, news)));
        }
        let failing = [1.0, 24.0, 72.0].map(|hours| (hours, News::Failing));
        assert_eq!(told[..3], failing);
        assert_eq!(told[3..], [(120.0, News::Disabled("failing"))]);
    }

    #[test]
    fn a_call_that_arrives_late_ends_the_pause_of_the_breaker_and_no_other() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        let mint = Mint::new(Arc::new(FrozenClock::at(now)), Arc::new(SeededChance::new(1)));
        let opened = || {
            let mut pace = Pace::default();
            for _ in 0..5 {
                pace.settle(call(&mint, false), Outcome::Retry(now), LIMITS, now);
            }
            assert_eq!(pace.ready(LIMITS, 0, now), Ready::At(now.plus(30_000)));
            pace
        };
        let mut pace = opened();
        pace.settle(call(&mint, false), Outcome::Delivered, LIMITS, now);
        assert_eq!((pace.breaker.is_open(), pace.ready(LIMITS, 0, now)), (false, Ready::Now));
        let mut pace = opened();
        pace.settle(call(&mint, false), Outcome::Defer(now.plus(HOUR)), LIMITS, now);
        pace.settle(call(&mint, false), Outcome::Delivered, LIMITS, now);
        assert_eq!(pace.ready(LIMITS, 0, now), Ready::At(now.plus(HOUR)), "the endpoint asked for it");
    }

    #[test]
    fn putting_off_is_no_failure_and_a_success_ends_all_complaints() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        let mint = Mint::new(Arc::new(FrozenClock::at(now)), Arc::new(SeededChance::new(1)));
        let mut pace = Pace::default();
        for _ in 0..50 {
            let verdict = pace.settle(call(&mint, false), Outcome::Defer(now.plus(HOUR)), LIMITS, now);
            assert!(verdict.rests && matches!(verdict.fate, Fate::Again { spent: false, .. }));
        }
        assert_eq!((pace.breaker.is_open(), pace.failing_since), (false, None));
        assert_eq!(pace.ready(LIMITS, 0, now), Ready::At(now.plus(HOUR)));
        let later = now.plus(2 * HOUR);
        pace.settle(call(&mint, false), Outcome::Retry(later), LIMITS, now);
        pace.settle(call(&mint, false), Outcome::Retry(later), LIMITS, later);
        assert_eq!((pace.failing_since, pace.warned), (Some(now), 1));
        pace.settle(call(&mint, false), Outcome::Delivered, LIMITS, later);
        assert_eq!((pace.failing_since, pace.warned), (None, 0));
        assert_eq!(pace.ready(LIMITS, 4, later), Ready::Later);
    }
}
