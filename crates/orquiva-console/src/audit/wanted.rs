//! Which entries are wanted, as a form and a query say it.

use std::collections::HashMap;

use orquiva_core::id::AuditId;
use orquiva_core::{Date, Language, Timestamp};
use orquiva_store::audit::Filter;
use orquiva_store::{client, member};

use crate::console::Console;
use crate::member::Member;
use crate::show::Faults;
use crate::stop::Stop;

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// One of several that may be chosen.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) name: String,
}

impl Choice {
    pub(crate) fn of(value: impl ToString, name: impl ToString) -> Self {
        Self { value: value.to_string(), name: name.to_string() }
    }
}

/// Which entries are wanted, right or wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) who: String,
    pub(crate) action: String,
    pub(crate) target: String,
    pub(crate) from: String,
    pub(crate) to: String,
    before: Option<AuditId>,
}

impl Wanted {
    /// As a query says it.
    pub(crate) fn read(asked: &HashMap<String, String>) -> Self {
        let text = |name: &str| asked.get(name).map_or(String::new(), |text| text.trim().replace('\0', ""));
        Self {
            who: text("who"),
            action: text("action"),
            target: text("target"),
            from: text("from"),
            to: text("to"),
            before: AuditId::parse(&text("before")),
        }
    }

    /// Whether less than everything is wanted.
    pub(crate) fn is_some(&self) -> bool {
        [&self.who, &self.action, &self.target, &self.from, &self.to].iter().any(|text| !text.is_empty())
    }

    /// For the store; what is wrong with a day is a fault.
    pub(crate) fn filter(&self, language: Language, faults: &mut Faults) -> Filter {
        let own = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let mut day = |name: &str, text: &String| {
            let day = own(text)?;
            let midnight = Date::parse(&day).and_then(|day| Timestamp::parse(&format!("{day}T00:00:00Z")));
            if midnight.is_none() {
                let fault = ("Escriba una fecha como 2026-12-31.", "Write a date such as 2026-12-31.");
                faults.add(name, language.pick(fault.0, fault.1));
            }
            midnight
        };
        Filter {
            from: day("from", &self.from),
            to: day("to", &self.to).map(|day| day.plus(DAY)),
            actor: own(&self.who),
            action: own(&self.action),
            target: own(&self.target),
            before: self.before,
            after: None,
        }
    }

    /// The query that wants the same, from `before` on; empty if it is all.
    pub(crate) fn query(&self, before: Option<AuditId>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let Self { who, action, target, from, to, before: _ } = self;
        for (name, value) in
            [("who", who), ("action", action), ("target", target), ("from", from), ("to", to)]
        {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        match query.finish() {
            empty if empty.is_empty() => empty,
            some => format!("?{some}"),
        }
    }
}

/// Whoever may have done something: members, API clients, the operator, and whoever is wanted.
pub(crate) async fn actors(console: &Console, member: &Member, wanted: &Wanted) -> Result<Vec<Choice>, Stop> {
    let language = member.guest.language;
    let tx = console.store.read().await?;
    let mut known: Vec<Choice> = member::list(&tx, member.company.id)
        .await?
        .into_iter()
        .map(|one| Choice::of(one.user, one.name))
        .collect();
    let clients = client::list(&tx, member.company.id).await?;
    known.extend(clients.into_iter().map(|one| {
        let kind = language.pick("cliente de API", "API client");
        Choice::of(one.id, format!("{} ({kind})", one.terms.name))
    }));
    known.push(Choice::of("system", language.pick("Operador", "Operator")));
    if !wanted.who.is_empty() && known.iter().all(|choice| choice.value != wanted.who) {
        known.push(Choice::of(&wanted.who, &wanted.who));
    }
    Ok(known)
}
