//! How an employee is shown to a caller: the one place that knows what the caller's scopes hide. What is hidden is
//! absent, never null, and the answer says which fields those are and what it takes to see them.

use std::borrow::Cow;
use std::sync::Arc;

use orquiva_core::Scope;
use orquiva_core::employee::{Employee, SENSITIVE, Sensitive};
use orquiva_store::custom_field;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::answer::{Answer, to_json};
use crate::app::App;
use crate::caller::Caller;
use crate::condition::partial;
use crate::problem::Problem;

/// What a caller sees of employees.
#[derive(Clone)]
pub(crate) struct View {
    /// For who may not see what is sensitive: which of the fields that the company has added are so.
    hidden: Option<Arc<[String]>>,
}

impl View {
    /// What `caller` sees.
    pub(crate) async fn of(app: &App, caller: &Caller) -> Result<Self, Problem> {
        if caller.may(Scope::EmployeesSensitiveRead) {
            return Ok(Self { hidden: None });
        }
        let tx = app.store.read().await?;
        Ok(Self { hidden: Some(custom_field::sensitive(&tx, caller.company).await?.into()) })
    }

    /// Whether that is the sensitive fields too.
    pub(crate) fn shows_sensitive(&self) -> bool {
        self.hidden.is_none()
    }

    /// The employee with those of its values of the company's own fields in the open that are shown.
    pub(crate) fn seen<'e>(&self, employee: &'e Employee) -> Cow<'e, Employee> {
        match self.shows_sensitive() && !employee.custom_fields.sensitive.is_empty() {
            true => Cow::Owned(employee.with_all_values()),
            false => Cow::Borrowed(employee),
        }
    }

    /// The names of what is hidden.
    pub(crate) fn names(&self) -> impl Iterator<Item = Cow<'static, str>> {
        self.hidden.iter().flat_map(|own| Redacted(own).names())
    }

    /// The `ETag` of an employee by itself, as this caller sees it.
    pub(crate) fn etag(&self, employee: &Employee) -> String {
        match &self.hidden {
            None => employee.etag(),
            Some(own) => partial(&employee.etag(), own),
        }
    }

    /// An employee by itself, with what is hidden of it.
    pub(crate) fn one(&self, employee: &Employee) -> String {
        to_json(&self.shown(employee, true))
    }

    /// An employee by itself, as the answer to a write or a reading.
    pub(crate) fn answer(&self, employee: &Employee) -> Answer {
        Answer::shown(self.etag(employee), &self.shown(employee, true))
    }

    /// An employee among others: what is hidden is said once, by [`View::explain`].
    pub(crate) fn each(&self, employee: &Employee) -> Value {
        json!(self.shown(employee, false))
    }

    /// An employee among others, as text.
    pub(crate) fn line(&self, employee: &Employee) -> String {
        to_json(&self.shown(employee, false))
    }

    /// The fields that are hidden, for an answer that is no object.
    pub(crate) fn hidden(&self) -> Option<String> {
        self.hidden.as_ref().map(|own| Redacted(own).names().collect::<Vec<_>>().join(", "))
    }

    /// What is hidden, as the `_meta` of an answer.
    pub(crate) fn meta(&self) -> Option<String> {
        self.hidden.as_ref().map(|hidden| to_json(&Meta { redacted: Redacted(hidden) }))
    }

    /// Says in the answer `page` what is hidden of each employee.
    pub(crate) fn explain(&self, page: &mut Value) {
        if let Some(hidden) = &self.hidden {
            page["_meta"] = json!(Meta { redacted: Redacted(hidden) });
        }
    }

    fn shown<'e>(&'e self, employee: &'e Employee, alone: bool) -> Shown<'e> {
        let sees_all = self.hidden.is_none();
        Shown {
            employee: self.seen(employee),
            sensitive: sees_all.then_some(&employee.sensitive),
            meta: self.hidden.as_ref().filter(|_| alone).map(|hidden| Meta { redacted: Redacted(hidden) }),
        }
    }
}

/// Refuses a caller who may not write employees, or not the sensitive fields that `body` names.
pub(crate) async fn may_write(app: &App, caller: &Caller, body: &Value) -> Result<(), Problem> {
    caller.must(Scope::EmployeesWrite)?;
    match body.get("customFields") {
        Some(_) => Guarded::of(app, caller).await?.may_write(caller, body),
        None => Guarded(Vec::new()).may_write(caller, body),
    }
}

/// Those of the fields that the company has added which a caller may not write.
pub(crate) struct Guarded(Vec<String>);

impl Guarded {
    /// Looks them up, if there are any for `caller`.
    pub(crate) async fn of(app: &App, caller: &Caller) -> Result<Self, Problem> {
        if caller.may(Scope::EmployeesSensitiveWrite) {
            return Ok(Self(Vec::new()));
        }
        let tx = app.store.read().await?;
        Ok(Self(custom_field::sensitive(&tx, caller.company).await?))
    }

    /// Refuses a caller who may not write the sensitive fields that `body` names.
    pub(crate) fn may_write(&self, caller: &Caller, body: &Value) -> Result<(), Problem> {
        let named = |slug: &String| body["customFields"].get(slug).is_some();
        match Sensitive::is_written_by(body) || self.0.iter().any(named) {
            true => caller.must(Scope::EmployeesSensitiveWrite),
            false => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Shown<'e> {
    #[serde(flatten)]
    employee: Cow<'e, Employee>,
    #[serde(flatten)]
    sensitive: Option<&'e Sensitive>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Meta<'e>>,
}

#[derive(Serialize)]
struct Meta<'v> {
    redacted: Redacted<'v>,
}

/// Each sensitive field, these of the company's own among them, and the scope that shows it.
struct Redacted<'v>(&'v [String]);

impl<'v> Redacted<'v> {
    fn names(&self) -> impl Iterator<Item = Cow<'static, str>> + use<'v> {
        let own = self.0.iter().map(|slug| Cow::Owned(format!("customFields.{slug}")));
        SENSITIVE.iter().map(|field| Cow::Borrowed(*field)).chain(own)
    }
}

impl Serialize for Redacted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry {
            field: Cow<'static, str>,
            scope: &'static str,
        }
        let scope = Scope::EmployeesSensitiveRead.as_str();
        serializer.collect_seq(self.names().map(|field| Entry { field, scope }))
    }
}
