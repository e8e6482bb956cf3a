//! The end of an employment, and the beginning of another one with the same person.

use serde_json::{Map, Value};

use super::{Employee, Employment, NewEmployee, Status};
use crate::Date;
use crate::field::{Fault, FieldError, Fields, date, line};

/// What a client sends to end an employment.
#[derive(Clone, Debug, PartialEq)]
pub struct Termination {
    /// From the beginning of which day on (in UTC) they no longer work here.
    pub effective: Date,
    /// Why.
    pub reason: Option<String>,
}

impl Termination {
    /// Reads what a client sent on the day `today`, which is the day it means if it names none.
    pub fn parse(body: &Value, today: Date) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let named = fields.has("effectiveDate");
        let effective = match fields.take("effectiveDate", date) {
            None if !named => Some(today),
            given => given,
        };
        let reason = fields.take("reason", line(500));
        fields.finish(effective.map(|effective| Self { effective, reason }))
    }
}

impl Employee {
    /// How the employment stands.
    pub fn employment(&self) -> Employment {
        Employment {
            status: self.profile.status,
            start_date: self.profile.start_date,
            end_date: self.end_date,
            termination_reason: self.termination_reason.clone(),
        }
    }

    /// The same person with the employment as it stands in `employment`.
    #[must_use]
    pub fn with(mut self, employment: Employment) -> Self {
        let Employment { status, start_date, end_date, termination_reason } = employment;
        self.profile.status = status;
        self.profile.start_date = start_date;
        self.end_date = end_date;
        self.termination_reason = termination_reason;
        self
    }
}

impl NewEmployee {
    /// Reads what becomes of `employee`, who has left, when a client takes them on again: `startDate` is needed, and
    /// whatever else is sent changes them like a merge patch.
    pub fn rehired(employee: &Employee, body: &Value, today: Date) -> Result<Self, Vec<FieldError>> {
        let Value::Object(wish) = body else {
            return Self::patched(employee, body, today); // which says what is wrong with it
        };
        let mut faults = Vec::new();
        let mut refuse = |name: &str, fault| faults.push(FieldError { pointer: format!("/{name}"), fault });
        let dated = wish.get("startDate").is_some_and(|start| !start.is_null());
        if !dated {
            refuse("startDate", Fault::Required);
        }
        if wish.contains_key("status") {
            refuse("status", Fault::ReadOnly); // it follows from the first day
        }
        let patch: Map<_, _> = wish
            .iter()
            .filter(|(name, _)| *name != "status")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let free = Employment { status: Status::Active, end_date: None, ..employee.employment() };
        match Self::patched(&employee.clone().with(free), &Value::Object(patch), today) {
            Ok(mut new) => {
                let start = new.profile.start_date;
                if dated && start.zip(employee.end_date).is_some_and(|(start, end)| start < end) {
                    refuse("startDate", Fault::StartBeforeEnd);
                }
                if start.is_some_and(|start| start > today) {
                    new.profile.status = Status::Onboarding;
                }
                if faults.is_empty() { Ok(new) } else { Err(faults) }
            }
            Err(more) => Err(faults.into_iter().chain(more).collect()),
        }
    }
}
