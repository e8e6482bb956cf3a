//! The parameters of a query: known ones only, each once, all that is wrong told at once.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use http::request::Parts;
use orquiva_core::{Fault, FieldError, field};

use crate::problem::Problem;

/// Every write knows it: answer what would be, and store nothing.
const DRY_RUN: &str = "dryRun";

/// The parameters that a request brought and that no one has taken yet.
pub(crate) struct Params {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
    faults: Vec<FieldError>,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let given = url::form_urlencoded::parse(query.as_bytes());
        let own = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into_owned(), value.into_owned());
        let mut params = Self { given: given.map(own).collect(), known: Vec::new(), faults: Vec::new() };
        if !parts.method.is_safe() {
            params.take(DRY_RUN, flag);
        }
        Ok(params)
    }
}

/// Whether a query asks for a dry run. [`Params`] refuses what is neither true nor false; until then it counts
/// as true, so that nothing is stored by mistake.
pub(crate) fn is_dry_run(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == DRY_RUN && value != "false")
}

/// Most values that one parameter may have.
const MOST_VALUES: usize = 50;

/// Reads several values, parted by commas.
pub(crate) fn several<T>(
    read: impl Fn(&str) -> Result<T, Fault>,
) -> impl FnOnce(&str) -> Result<Vec<T>, Fault> {
    move |text| {
        let parts: Vec<_> = text.split(',').map(str::trim).collect();
        match parts.len() {
            0..=MOST_VALUES => parts.into_iter().map(read).collect(),
            _ => Err(Fault::TooMany { max: MOST_VALUES }),
        }
    }
}

/// Reads yes or no.
pub(crate) fn flag(text: &str) -> Result<bool, Fault> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::NotAllowed { choices: "true, false".to_owned() }),
    }
}

impl Params {
    /// Takes the parameter `name` and reads it. One without a value is a fault: an empty filter would show everything to
    /// whoever asked for something.
    pub(crate) fn take<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        self.known.push(name);
        let mut values = self.given.iter().filter(|(given, _)| given == name);
        let (first, second) = (values.next(), values.next());
        let read = match (first, second) {
            (None, _) => return None,
            (Some(_), Some(_)) => Err(Fault::Repeated),
            (Some((_, value)), None) if value.is_empty() => Err(Fault::Empty),
            (Some((_, value)), None) if value.chars().any(char::is_control) => Err(Fault::ControlCharacter),
            (Some((_, value)), None) => read(value),
        };
        read.map_err(|fault| self.faults.push(FieldError { pointer: name.to_owned(), fault })).ok()
    }

    /// `limit`: 1 to 200, 50 if it is not there.
    pub(crate) fn limit(&mut self) -> i64 {
        self.take("limit", |text| match text.parse() {
            Ok(limit @ 1..=200) => Ok(limit),
            Ok(_) | Err(_) => Err(Fault::OutOfRange { min: 1, max: 200 }),
        })
        .unwrap_or(50)
    }

    /// Notes a fault of what was sent as `name`.
    pub(crate) fn fault(&mut self, name: &str, fault: Fault) {
        self.faults.push(FieldError { pointer: name.to_owned(), fault });
    }

    /// Ends the reading: what is left is unknown, and a fault.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let Self { given, known, mut faults } = self;
        for (name, _) in given.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            faults.push(FieldError { pointer: name.clone(), fault: field::unknown(name, &known) });
        }
        if faults.is_empty() { Ok(()) } else { Err(Problem::parameters(faults)) }
    }
}
