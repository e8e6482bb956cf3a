//! `Retry-After`, as endpoints send it, and what it leads to.
#![no_main]

use orquiva_core::Timestamp;
use orquiva_core::webhook::outcome::{Answer, Attempt, MAX_DEFER, Outcome, SCHEDULE, outcome, retry_after};

libfuzzer_sys::fuzz_target!(|header: &str| {
    let now = Timestamp::from_millis(1_767_225_600_000);
    let waited = retry_after(header, now);
    assert!(waited.is_none_or(|seconds| seconds >= 0));
    let answer = Answer::Status { code: 429, retry_after: waited };
    match outcome(Attempt { number: 1, schedule: &SCHEDULE, due: now }, &answer, now, 0.5) {
        Outcome::Defer(until) => assert!(until > now && until.since(now) <= MAX_DEFER),
        Outcome::Retry(at) => assert!(at > now),
        other => panic!("{other:?}"),
    }
});
