//! A part of the time up to now, and the parts that it is shown in.

use orquiva_core::{Language, Timestamp};

use crate::show::date;

/// How far back one looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    Hour,
    Day,
    Week,
    Month,
}

impl Range {
    pub(crate) const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// As a query names it; a day if it names none.
    pub(crate) fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|range| range.as_str() == text).unwrap_or(Self::Day)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    pub(crate) fn name(self, language: Language) -> &'static str {
        match self {
            Self::Hour => language.pick("1 hora", "1 hour"),
            Self::Day => language.pick("24 horas", "24 hours"),
            Self::Week => language.pick("7 días", "7 days"),
            Self::Month => language.pick("30 días", "30 days"),
        }
    }

    /// How many parts there are, and the minutes of each.
    fn parts(self) -> (i64, i64) {
        match self {
            Self::Hour => (60, 1),
            Self::Day => (48, 30),
            Self::Week => (56, 180),
            Self::Month => (60, 720),
        }
    }

    /// The length of a part, in milliseconds.
    pub(crate) fn width(self) -> i64 {
        self.parts().1 * 60_000
    }

    /// What a part is called.
    pub(crate) fn part(self, language: Language) -> &'static str {
        match self {
            Self::Hour => language.pick("minuto", "minute"),
            Self::Day => language.pick("media hora", "half hour"),
            Self::Week => language.pick("3 horas", "3 hours"),
            Self::Month => language.pick("12 horas", "12 hours"),
        }
    }

    /// The beginnings of the parts, the last of which is running at `now`.
    pub(crate) fn starts(self, now: Timestamp) -> Vec<Timestamp> {
        let ((count, _), width) = (self.parts(), self.width());
        let last = now.millis().div_euclid(width) * width;
        (0..count).rev().map(|back| Timestamp::from_millis(last - back * width)).collect()
    }
}

/// A moment on a chart: in UTC, to the minute.
pub(crate) fn moment(at: Timestamp, language: Language) -> String {
    let iso = at.to_string();
    let (day, time) = iso.split_once('T').unwrap_or((&iso, ""));
    format!("{}, {}", date(day, language), time.get(..5).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_end_with_the_one_that_is_running() {
        let now = Timestamp::parse("2026-03-01T10:17:59Z").expect("a moment");
        for range in Range::ALL {
            let starts = range.starts(now);
            let last = *starts.last().expect("parts");
            assert!(last <= now && last.plus(range.width()) > now, "{range:?}");
            assert!(starts.windows(2).all(|two| two[1].since(two[0]) == range.width()));
            assert_eq!(Range::parse(range.as_str()), range);
        }
        assert_eq!(moment(Range::Day.starts(now)[47], Language::Spanish), "1 mar 2026, 10:00");
        assert_eq!(Range::parse("century"), Range::Day);
    }
}
