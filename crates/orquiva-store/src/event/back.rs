//! The log of events from its end backwards, for who looks for something in it.

use orquiva_core::Timestamp;
use orquiva_core::event::Types;
use orquiva_core::id::CompanyId;

use super::{Event, log, read};
use crate::replay::part::{DISORDER, first_at};
use crate::sql::Sql;
use crate::{Arg, StoreError, Tx, args};

/// Places of the log that are looked through for one page.
const SPAN: i64 = 5_000;

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Events of these types.
    pub types: Option<Types>,
    /// That tell of this person, department or endpoint.
    pub subject: Option<String>,
    /// That happened at this moment or later.
    pub from: Option<Timestamp>,
    /// That happened before this moment.
    pub to: Option<Timestamp>,
}

/// A part of a log.
#[derive(Clone, Debug)]
pub struct Page {
    /// The events, the newest first.
    pub found: Vec<Event>,
    /// Before which place it goes on, if it does: before what was found or, if that is less than a page, before what was
    /// looked through.
    pub next: Option<i64>,
}

/// The events of a company that `search` looks for, the newest first, before the place `before`: up to `limit`, or those
/// at the next [`SPAN`] places if what is looked for is rarer than that.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    search: &Search,
    before: Option<i64>,
    limit: i64,
) -> Result<Page, StoreError> {
    let log = log(tx, company).await?;
    let mut first = log.expired + 1;
    if let Some(from) = search.from {
        first = first.max(first_at(tx, company, log, from.plus(-DISORDER)).await?);
    }
    let mut end = before.unwrap_or(i64::MAX).min(log.last + 1);
    if let Some(to) = search.to {
        end = end.min(first_at(tx, company, log, to.plus(DISORDER)).await?);
    }
    // Places have no gap, so a span of them is as many events.
    let start = first.max(end.saturating_sub(SPAN));
    let (conditions, mut args) = conditions(search, args![company, start, end].to_vec());
    args.push((limit + 1).into());
    let sql = Sql::made(format!(
        "select id, type, created_at, sequence, payload, sensitive from event indexed by event_sequence
          where company_id = $1 and sequence >= $2 and sequence < $3{conditions}
          order by sequence desc limit ${}",
        args.len()
    ));
    let mut found = tx.all(&sql, &args, read).await?;
    let full = found.len() as i64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or_default());
    let next = match full {
        true => found.last().map(|last| last.sequence),
        false => (start > first).then_some(start),
    };
    Ok(Page { found, next })
}

/// What is compared on the way, in the words of SQL, and what with.
fn conditions(search: &Search, mut args: Vec<Arg<'static>>) -> (String, Vec<Arg<'static>>) {
    let Search { types, subject, from, to } = search;
    let mut conditions = String::new();
    let mut and = |condition: &str, value: Arg<'static>| {
        args.push(value);
        conditions.push_str(&format!(" and {condition} ${}", args.len()));
    };
    if let Some(subject) = subject {
        and("subject_id =", subject.clone().into());
    }
    if let Some(from) = from {
        and("created_at >=", (*from).into());
    }
    if let Some(to) = to {
        and("created_at <", (*to).into());
    }
    if let Some(types) = types {
        let first = args.len() + 1;
        args.extend(types.each().iter().map(|kind| Arg::from(*kind)));
        let places: Vec<_> = (first..=args.len()).map(|place| format!("${place}")).collect();
        conditions.push_str(&format!(" and type in ({})", places.join(", ")));
    }
    (conditions, args)
}
