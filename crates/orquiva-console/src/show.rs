//! How things are written on screens: moments, numbers, faults.

use std::fmt;

use askama::filters::HtmlSafe;
use orquiva_core::{Language, Timestamp};

/// A moment, which the browser shows in its own zone; without script in UTC.
pub(crate) struct Moment(pub(crate) Timestamp, pub(crate) Language);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(at, language) = self;
        let iso = at.to_string();
        let (day, time) = iso.split_once('T').unwrap_or((&iso, ""));
        let day = date(day, *language);
        write!(f, r#"<time datetime="{iso}">{day}, {} UTC</time>"#, time.get(..5).unwrap_or(time))
    }
}

impl HtmlSafe for Moment {}

/// The months, as they are shortened.
const MONTHS: [(&str, &str); 12] = [
    ("ene", "Jan"),
    ("feb", "Feb"),
    ("mar", "Mar"),
    ("abr", "Apr"),
    ("may", "May"),
    ("jun", "Jun"),
    ("jul", "Jul"),
    ("ago", "Aug"),
    ("sept", "Sept"),
    ("oct", "Oct"),
    ("nov", "Nov"),
    ("dic", "Dec"),
];

/// A day `YYYY-MM-DD` as it is read: `27 nov 2026`; a text that is none stays as it is.
pub(crate) fn date(day: &str, language: Language) -> String {
    let mut parts = day.splitn(3, '-');
    let (Some(year), Some(month), Some(day_of)) = (parts.next(), parts.next(), parts.next()) else {
        return day.to_owned();
    };
    let month = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    match month {
        Some((es, en)) => format!("{} {} {year}", day_of.trim_start_matches('0'), language.pick(*es, *en)),
        None => day.to_owned(),
    }
}

/// A whole number with its thousands parted: `12.345` in Spanish, where four digits stand together, `12,345` in English.
pub(crate) fn number(value: i64, language: Language) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    if digits.len() < 4 || (digits.len() == 4 && language == Language::Spanish) {
        return format!("{sign}{digits}");
    }
    let separator = language.pick(".", ",");
    let mut parted = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            parted.push_str(separator);
        }
        parted.push(digit);
    }
    format!("{sign}{parted}")
}

/// The moment that a field for day and time names, in UTC: `2026-01-31T09:30`.
pub(crate) fn utc(text: &str) -> Option<Timestamp> {
    match text.len() {
        16 => Timestamp::parse(&format!("{text}:00Z")),
        _ => Timestamp::parse(&format!("{text}Z")),
    }
}

/// A moment as such a field has it.
pub(crate) fn local(at: Timestamp) -> String {
    let mut text = at.to_string();
    text.truncate(16);
    text
}

/// What is wrong with the fields of a form, by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Vec<(String, String)>);

impl Faults {
    /// Notes that a field is wrong, and what to do about it.
    pub(crate) fn add(&mut self, field: &str, text: impl Into<String>) {
        self.0.push((field.to_owned(), text.into()));
    }

    /// What is wrong with a field; empty if nothing is.
    pub(crate) fn of(&self, field: &str) -> &str {
        self.0.iter().find(|(known, _)| known == field).map_or("", |(_, text)| text)
    }

    /// Notes what else is wrong, but for the fields that `known` names: what is wrong with those was noted better.
    pub(crate) fn extend_unless(&mut self, more: Self, known: impl Fn(&str) -> bool) {
        self.0.extend(more.0.into_iter().filter(|(field, _)| !known(field)));
    }

    /// Each field that is wrong, and what to do about it.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, text)| (field.as_str(), text.as_str()))
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_are_written_as_each_language_does() {
        let both = |value| (number(value, Language::Spanish), number(value, Language::English));
        assert_eq!(both(999), ("999".into(), "999".into()));
        assert_eq!(both(1000), ("1000".into(), "1,000".into()));
        assert_eq!(both(-1_234_567), ("-1.234.567".into(), "-1,234,567".into()));
        assert_eq!(date("2026-09-05", Language::Spanish), "5 sept 2026");
        assert_eq!(date("mañana", Language::English), "mañana");
    }

    #[test]
    fn a_field_for_day_and_time_is_read_as_it_was_written() {
        let at = utc("2026-01-31T09:30").expect("a moment");
        assert_eq!(
            (at.to_string().as_str(), local(at).as_str()),
            ("2026-01-31T09:30:00.000Z", "2026-01-31T09:30")
        );
        assert_eq!(utc("2026-01-31T09:30:00"), Some(at));
        assert!([utc(""), utc("2026-01-31"), utc("mañana")].iter().all(Option::is_none));
    }
}
