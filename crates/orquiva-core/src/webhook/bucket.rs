//! The rate of an endpoint, as one number (the generic cell rate algorithm).

use crate::Timestamp;

const SECOND: i64 = 1_000_000;

/// Lets calls go at a rate: no second ever sees more, and at least 95 % of it can be used.
///
/// A part of the rate is kept for catching up, so that a timer that comes a little late loses nothing: of `n` a second,
/// `n / 20` may follow at once and the rest is spread evenly, which together is never more than `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When all that went is paid for, in microseconds since 1970.
    next_at: i64,
}

impl Bucket {
    /// As it was stored.
    pub fn stored(next_at: i64) -> Self {
        Self { next_at }
    }

    /// As it is stored.
    pub fn to_stored(self) -> i64 {
        self.next_at
    }

    /// When the next call may start at a rate of `per_second`: `now` or later.
    pub fn ready(self, per_second: i64, now: Timestamp) -> Timestamp {
        let (interval, ahead) = spread(per_second);
        let ready = self.paid_for(interval, ahead, now) - ahead;
        // A moment has whole milliseconds: the first that is not too early.
        now.max(Timestamp::from_millis(-(-ready).div_euclid(1000)))
    }

    /// A call starts.
    pub fn take(&mut self, per_second: i64, now: Timestamp) {
        let (interval, ahead) = spread(per_second);
        self.next_at = self.paid_for(interval, ahead, now).max(micros(now)) + interval;
    }

    /// More than one call ahead is never owed: then the clock was set back, or the rate was raised.
    fn paid_for(self, interval: i64, ahead: i64, now: Timestamp) -> i64 {
        self.next_at.min(micros(now) + ahead + interval)
    }
}

/// How far apart calls are, and how much of it may be caught up, in microseconds.
fn spread(per_second: i64) -> (i64, i64) {
    let rate = per_second.clamp(1, SECOND);
    let at_once = rate / 20;
    let interval = SECOND.div_euclid(rate - at_once) + i64::from(SECOND % (rate - at_once) != 0);
    (interval, at_once * interval)
}

fn micros(moment: Timestamp) -> i64 {
    moment.millis().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_second_sees_more_than_the_rate(
            rate in 1_i64..2000,
            late in prop::collection::vec(0_i64..400, 300),
        ) {
            let mut bucket = Bucket::default();
            let mut now = Timestamp::from_millis(1_767_225_600_000);
            let mut calls = Vec::new();
            for late in late {
                now = bucket.ready(rate, now).plus(if late > 380 { late * 10 } else { late / 100 });
                prop_assert_eq!(bucket.ready(rate, now), now, "what is ready stays ready");
                bucket.take(rate, now);
                calls.push(now);
                bucket = Bucket::stored(bucket.to_stored());
            }
            for (at, first) in calls.iter().enumerate() {
                let within = calls[at..].iter().take_while(|call| call.since(*first) < 1000).count() as i64;
                prop_assert!(within <= rate, "{within} of {rate}");
            }
        }

        #[test]
        fn the_rate_can_be_used(rate in 1_i64..500, tick in 1_i64..5) {
            let (mut bucket, start) = (Bucket::default(), Timestamp::from_millis(1_767_225_600_000));
            let (mut now, mut calls) = (start, 0);
            while now.since(start) < 10_000 {
                while bucket.ready(rate, now) == now {
                    bucket.take(rate, now);
                    calls += 1;
                }
                now = now.plus(tick);
            }
            prop_assert!(calls * 100 >= rate * 10 * 94, "{calls} of {}", rate * 10);
        }

        #[test]
        fn a_clock_that_is_set_back_stops_nobody(rate in 1_i64..500, back in 0_i64..100_000_000) {
            let mut bucket = Bucket::default();
            let now = Timestamp::from_millis(1_767_225_600_000);
            bucket.take(rate, now);
            let earlier = now.plus(-back);
            prop_assert!(bucket.ready(rate, earlier).since(earlier) <= 1000);
        }
    }
}
