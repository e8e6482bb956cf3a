//! What an attempt leads to: a pure function of the attempt, the answer, the time and a random number.

use std::fmt;

use crate::Timestamp;

/// When a delivery is tried unless its endpoint says otherwise: the waits before each attempt, in seconds. 12 tries, about 71 hours.
pub const SCHEDULE: [i64; 12] = [0, 5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400];

/// A wait is up to this part longer or shorter, so that what failed together is not repeated together.
const JITTER: f64 = 0.2;

/// The longest that a receiver can put us off with `Retry-After`, and the longest that an attempt
/// is put off without being spent: 24 hours, in milliseconds.
pub const MAX_DEFER: i64 = 86_400_000;

/// What came back from an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It answered.
    Status {
        /// The HTTP status.
        code: u16,
        /// Seconds of `Retry-After`, if there was one.
        retry_after: Option<i64>,
    },
    /// It did not.
    Failed(Failure),
}

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The name does not resolve.
    Dns,
    /// The name resolves only to addresses that webhooks may not reach.
    PrivateAddress,
    /// No connection.
    Connect,
    /// No TLS: certificate, version or cipher.
    Tls,
    /// Not done in time.
    Timeout(Phase),
    /// The exchange broke off, or was no HTTP.
    Protocol,
}

/// How far an exchange had come when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Looking up the name.
    Dns,
    /// Connecting.
    Connect,
    /// Agreeing on TLS.
    Tls,
    /// Sending the request and waiting for the head of the answer.
    Answer,
    /// Reading the body of the answer.
    Body,
}

impl Failure {
    /// As it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::PrivateAddress => "private_address",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout(Phase::Dns) => "timeout_dns",
            Self::Timeout(Phase::Connect) => "timeout_connect",
            Self::Timeout(Phase::Tls) => "timeout_tls",
            Self::Timeout(Phase::Answer) => "timeout_answer",
            Self::Timeout(Phase::Body) => "timeout_body",
            Self::Protocol => "protocol",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One attempt, as far as its outcome depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'s> {
    /// Counts from 1.
    pub number: u32,
    /// The waits before each attempt, in seconds.
    pub schedule: &'s [i64],
    /// When it first fell due; putting it off does not change this.
    pub due: Timestamp,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived.
    Delivered,
    /// It is tried again then, as the next attempt.
    Retry(Timestamp),
    /// The endpoint asked to wait: the whole lane pauses, and the attempt is not spent.
    Defer(Timestamp),
    /// It ran out of tries. It stays, visible as failed, and can be sent again.
    Exhausted,
    /// The endpoint is gone for good (410): it is disabled.
    Gone,
}

/// Decides. `chance` is a number in `0.0..1.0`.
pub fn outcome(attempt: Attempt<'_>, answer: &Answer, now: Timestamp, chance: f64) -> Outcome {
    match *answer {
        Answer::Status { code: 200..=299, .. } => Outcome::Delivered,
        Answer::Status { code: 410, .. } => Outcome::Gone,
        Answer::Status { code: 429 | 503, retry_after: Some(seconds) }
            if seconds > 0 && now.since(attempt.due) < MAX_DEFER =>
        {
            Outcome::Defer(now.plus(seconds.saturating_mul(1000).min(MAX_DEFER)))
        }
        Answer::Status { .. } | Answer::Failed(_) => next(attempt, now, chance),
    }
}

fn next(attempt: Attempt<'_>, now: Timestamp, chance: f64) -> Outcome {
    match attempt.schedule.get(attempt.number as usize) {
        Some(seconds) => {
            let factor = 1.0 - JITTER + 2.0 * JITTER * chance;
            Outcome::Retry(now.plus((*seconds as f64 * 1000.0 * factor) as i64))
        }
        None => Outcome::Exhausted,
    }
}

/// Reads `Retry-After`: seconds, or an HTTP date (RFC 9110 §10.2.3), as seconds from `now`.
pub fn retry_after(header: &str, now: Timestamp) -> Option<i64> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<i64>() {
        return (seconds >= 0).then_some(seconds);
    }
    let date = jiff::fmt::rfc2822::parse(header).ok()?;
    Some((date.timestamp().as_second() - now.seconds()).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_answer() -> impl Strategy<Value = Answer> {
        prop_oneof![
            (100_u16..600, prop::option::of(0_i64..1_000_000))
                .prop_map(|(code, retry_after)| Answer::Status { code, retry_after }),
            prop::sample::select(vec![
                Failure::Dns,
                Failure::Connect,
                Failure::Tls,
                Failure::Timeout(Phase::Body)
            ])
            .prop_map(Answer::Failed),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_ever_dropped(schedule in prop::collection::vec(0_i64..86_400, 1..20), number in 1_u32..40, answer in any_answer(), late in 0_i64..200_000_000, chance in 0.0..1.0) {
            let due = Timestamp::from_millis(1_767_225_600_000);
            let now = due.plus(late);
            match outcome(Attempt { number, schedule: &schedule, due }, &answer, now, chance) {
                Outcome::Delivered => prop_assert!(
                    matches!(answer, Answer::Status { code: 200..=299, .. }), "only a 2xx delivers"
                ),
                Outcome::Gone => prop_assert!(matches!(answer, Answer::Status { code: 410, .. }), "only a 410"),
                Outcome::Retry(at) => {
                    let base = schedule[number as usize] * 1000;
                    let wait = at.since(now);
                    prop_assert!(wait * 10 >= base * 8 - 10 && wait * 10 <= base * 12, "{wait} of {base}");
                }
                Outcome::Defer(until) => {
                    prop_assert!(matches!(answer, Answer::Status { code: 429 | 503, retry_after: Some(_) }), "it asked");
                    prop_assert!(until > now && until.since(now) <= MAX_DEFER && late < MAX_DEFER);
                }
                Outcome::Exhausted => prop_assert!(number as usize >= schedule.len()),
            }
        }

        #[test]
        fn a_receiver_never_gets_us_to_come_back_early(seconds in 1_i64..86_400, number in 1_u32..13, chance in 0.0..1.0) {
            let now = Timestamp::from_millis(1_767_225_600_000);
            let answer = Answer::Status { code: 429, retry_after: Some(seconds) };
            let outcome = outcome(Attempt { number, schedule: &SCHEDULE, due: now }, &answer, now, chance);
            prop_assert_eq!(outcome, Outcome::Defer(now.plus(seconds * 1000)));
        }
    }

    #[test]
    fn twelve_tries_take_about_seventy_one_hours() {
        let hours = (SCHEDULE.iter().sum::<i64>() as f64 / 3600.0).round();
        assert_eq!((SCHEDULE.len(), hours), (12, 71.0));
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        assert_eq!(retry_after("120", now), Some(120));
        assert_eq!(retry_after("Thu, 01 Jan 2026 00:01:00 GMT", now), Some(60));
        assert_eq!(retry_after("Wed, 31 Dec 2025 00:00:00 GMT", now), Some(0));
        assert_eq!(retry_after("-5", now), None);
        assert_eq!(retry_after("soon", now), None);
    }
}
