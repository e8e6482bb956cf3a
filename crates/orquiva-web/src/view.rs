//! How an employee is shown to a caller: the one place that knows what the caller's scopes hide. What is hidden is
//! absent, never null, and the answer says which fields those are and what it takes to see them.

use orquiva_core::Scope;
use orquiva_core::employee::{Employee, SENSITIVE, Sensitive};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::answer::{Answer, to_json};
use crate::caller::Caller;
use crate::problem::Problem;

/// What a caller sees of employees.
#[derive(Clone, Copy)]
pub(crate) struct View {
    sensitive: bool,
}

impl View {
    /// What `caller` sees.
    pub(crate) fn of(caller: &Caller) -> Self {
        Self { sensitive: caller.may(Scope::EmployeesSensitiveRead) }
    }

    /// Whether that is the sensitive fields too.
    pub(crate) fn shows_sensitive(self) -> bool {
        self.sensitive
    }

    /// An employee by itself, with what is hidden of it.
    pub(crate) fn one(self, employee: &Employee) -> String {
        to_json(&self.shown(employee, true))
    }

    /// An employee by itself, as the answer to a write or a reading.
    pub(crate) fn answer(self, employee: &Employee) -> Answer {
        Answer::shown(employee.etag(), &self.shown(employee, true))
    }

    /// An employee among others: what is hidden is said once, by [`View::explain`].
    pub(crate) fn each(self, employee: &Employee) -> Value {
        json!(self.shown(employee, false))
    }

    /// An employee among others, as text.
    pub(crate) fn line(self, employee: &Employee) -> String {
        to_json(&self.shown(employee, false))
    }

    /// The fields that are hidden, for an answer that is no object.
    pub(crate) fn hidden(self) -> Option<String> {
        (!self.sensitive).then(|| SENSITIVE.join(", "))
    }

    /// What is hidden, as the `_meta` of an answer.
    pub(crate) fn meta(self) -> Option<String> {
        (!self.sensitive).then(|| to_json(&Meta { redacted: Redacted }))
    }

    /// Says in the answer `page` what is hidden of each employee.
    pub(crate) fn explain(self, page: &mut Value) {
        if !self.sensitive {
            page["_meta"] = json!(Meta { redacted: Redacted });
        }
    }

    fn shown(self, employee: &Employee, alone: bool) -> Shown<'_> {
        Shown {
            employee,
            sensitive: self.sensitive.then_some(&employee.sensitive),
            meta: (alone && !self.sensitive).then_some(Meta { redacted: Redacted }),
        }
    }
}

/// Refuses a caller who may not write employees, or not the sensitive fields that `body` names.
pub(crate) fn may_write(caller: &Caller, body: &Value) -> Result<(), Problem> {
    caller.must(Scope::EmployeesWrite)?;
    match Sensitive::is_written_by(body) {
        true => caller.must(Scope::EmployeesSensitiveWrite),
        false => Ok(()),
    }
}

#[derive(Serialize)]
struct Shown<'e> {
    #[serde(flatten)]
    employee: &'e Employee,
    #[serde(flatten)]
    sensitive: Option<&'e Sensitive>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
}

#[derive(Serialize)]
struct Meta {
    redacted: Redacted,
}

/// Each sensitive field and the scope that shows it.
struct Redacted;

impl Serialize for Redacted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry {
            field: &'static str,
            scope: &'static str,
        }
        let scope = Scope::EmployeesSensitiveRead.as_str();
        serializer.collect_seq(SENSITIVE.iter().map(|field| Entry { field, scope }))
    }
}
