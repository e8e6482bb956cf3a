//! Moments and days, and the clock that hands them out.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, in whole milliseconds since 1970 (UTC). Shown as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down: what JWT and webhook headers carry.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment and `millis` more.
    #[must_use]
    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; negative if it is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The day it is at this moment, in UTC.
    pub fn date(self) -> Date {
        let moment = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        Date(jiff::tz::Offset::UTC.to_datetime(moment).date())
    }

    /// Reads RFC 3339 with any offset.
    pub fn parse(text: &str) -> Option<Self> {
        let millis = text.parse::<jiff::Timestamp>().map(|moment| moment.as_millisecond());
        millis.map(|millis| Self(millis.min(LAST))).ok().or_else(|| last_hours(text))
    }
}

/// The last moment that can be told, 9999-12-30T22:00:00Z, in milliseconds.
const LAST: i64 = 253_402_207_200_000;

/// That moment, for the few later ones that RFC 3339 can write: many programs say `9999-12-31T23:59:59Z` when they mean
/// for ever.
fn last_hours(text: &str) -> Option<Timestamp> {
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let is_whole = pieces.time().is_some() && pieces.offset().is_some();
    let is_last = pieces.date() >= jiff::civil::date(9999, 12, 30);
    (is_whole && is_last).then_some(Timestamp(LAST))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        write!(f, "{moment:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A day without time or zone, `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(jiff::civil::Date);

impl Date {
    /// Reads exactly `YYYY-MM-DD`, years 1900 to 2199.
    pub fn parse(text: &str) -> Option<Self> {
        let shape = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                0..=3 | 5..=6 | 8.. => byte.is_ascii_digit(),
            });
        let date: jiff::civil::Date = shape.then(|| text.parse().ok())??;
        (1900..2200).contains(&date.year()).then_some(Self(date))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("no day"))
    }
}

/// Where the time comes from: the system's clock, or a frozen one in tests.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Milliseconds that only ever go forward, from an arbitrary start: for measuring spans.
    /// Unlike [`Clock::now`], nobody can set it back.
    fn elapsed(&self) -> i64;

    /// The moment by which things fall due. If the clock is set back it goes on as before, so nothing waits for a time that
    /// had come already; if it is set forward it follows.
    fn steady(&self) -> Timestamp;

    /// From now on [`Clock::steady`] is never before `moment`: the clock was set back while nobody looked.
    fn catch_up(&self, moment: Timestamp);
}

/// By how much the clock was ahead of the time that has elapsed, at the most.
#[derive(Debug)]
struct Ahead(AtomicI64);

impl Ahead {
    fn steady(&self, now: Timestamp, elapsed: i64) -> Timestamp {
        let ahead = now.0.saturating_sub(elapsed);
        Timestamp(elapsed.saturating_add(self.0.fetch_max(ahead, Ordering::Relaxed).max(ahead)))
    }
}

/// The system's clock.
#[derive(Debug)]
pub struct SystemClock(std::time::Instant, Ahead);

impl Default for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one home of the system's clock")]
    fn default() -> Self {
        Self(std::time::Instant::now(), Ahead(AtomicI64::new(i64::MIN)))
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one home of the system's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn steady(&self) -> Timestamp {
        self.1.steady(self.now(), self.elapsed())
    }

    fn catch_up(&self, moment: Timestamp) {
        self.1.steady(moment, self.elapsed());
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct FrozenClock {
    now: AtomicI64,
    elapsed: AtomicI64,
    ahead: Ahead,
}

impl FrozenClock {
    /// Stands at `at`.
    pub fn at(at: Timestamp) -> Self {
        let (now, elapsed) = (AtomicI64::new(at.0), AtomicI64::new(at.0));
        Self { now, elapsed, ahead: Ahead(AtomicI64::new(0)) }
    }

    /// Moves the time on by `millis`.
    pub fn advance(&self, millis: i64) {
        self.elapsed.fetch_add(millis, Ordering::SeqCst);
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the clock forward, or back, by `millis`; no time has passed.
    pub fn set(&self, millis: i64) {
        self.steady();
        self.now.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for FrozenClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> i64 {
        self.elapsed.load(Ordering::SeqCst)
    }

    fn steady(&self) -> Timestamp {
        self.ahead.steady(self.now(), self.elapsed())
    }

    fn catch_up(&self, moment: Timestamp) {
        self.ahead.steady(moment, self.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_with_exactly_three_decimals() {
        assert_eq!(Timestamp::from_millis(1_767_225_600_000).to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(1_767_225_600_007).to_string(), "2026-01-01T00:00:00.007Z");
    }

    #[test]
    fn for_ever_is_the_last_moment_that_can_be_told() {
        let last = Timestamp::parse("9999-12-30T22:00:00Z").expect("a moment");
        for text in [
            "9999-12-30T22:00:00.999Z",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999+02:00",
            "9999-12-31T00:00:00-12:00",
        ] {
            let read = Timestamp::parse(text).expect("a moment");
            assert!(read == last && Timestamp::parse(&read.to_string()) == Some(read), "{text}");
        }
        for wrong in
            ["9999-12-31", "9999-12-31T23:59:59", "9999-12-32T00:00:00Z", "10000-01-01T00:00:00Z", "for ever"]
        {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_falls_due_by_the_steady_time_waits_for_no_clock_that_is_set_back() {
        let clock = FrozenClock::at(Timestamp::from_millis(1_000_000));
        let shown = |clock: &FrozenClock| (clock.now().0, clock.steady().0);
        clock.advance(5);
        assert_eq!(shown(&clock), (1_000_005, 1_000_005));
        clock.set(-500);
        clock.advance(10);
        assert_eq!(shown(&clock), (999_515, 1_000_015), "it goes on");
        clock.set(2_000);
        assert_eq!(shown(&clock), (1_001_515, 1_001_515), "it follows");
        clock.catch_up(Timestamp(1_002_000));
        clock.advance(1);
        assert_eq!(shown(&clock), (1_001_516, 1_002_001));
        let clock = SystemClock::default();
        assert!(clock.now() <= clock.steady());
    }

    #[test]
    fn only_a_real_day_written_in_full_is_a_date() {
        assert!(Date::parse("2026-02-28").is_some());
        for wrong in
            ["2026-02-30", "2026-2-3", "20260203", "2026-02-03T00:00:00Z", "0001-01-01", "", "２０２６-02-03"]
        {
            assert!(Date::parse(wrong).is_none(), "{wrong}");
        }
    }
}
