//! The event log of a company: written with the change, given its place by the router.

pub mod back;
mod expiry;
mod history;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use orquiva_core::Timestamp;
use orquiva_core::event::{NewEvent, Types, concealed, shows_custom_values, with_sensitive};
use orquiva_core::id::{CompanyId, DepartmentId, EventId, WebhookId};
use orquiva_core::webhook::body::{Told, body};
use orquiva_core::webhook::{Format, Payload};

use crate::sql::{Sql, sql};
use crate::{Arg, Row, StoreError, Tx, args, custom_field};

pub use expiry::{Oldest, expire, oldest};
pub use history::{birth, history};

/// An event that has its place in the log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What it tells of.
    pub kind: String,
    /// When it happened.
    pub created_at: Timestamp,
    /// Its place in the company's log: from 1, without gaps, in commit order.
    pub sequence: i64,
    /// The rest of its envelope.
    pub payload: String,
    /// What of it only some may see.
    pub sensitive: Option<String>,
}

/// An event that was committed and has no place yet.
#[derive(Clone, Debug)]
pub struct Unrouted {
    /// Its place among all inserts.
    pub position: i64,
    /// Whose it is.
    pub company: CompanyId,
    /// Its id.
    pub id: EventId,
    /// What it tells of.
    pub kind: String,
}

/// Where a company's log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The last event that has expired; 0 while all are there.
    pub expired: i64,
    /// The last event.
    pub last: i64,
}

/// A part of a log, and where the log stood at that very moment.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where the log stood.
    pub log: Log,
    /// Up to where it was looked through, if it did not fill up before.
    pub through: i64,
    /// The events, in order.
    pub events: Vec<Event>,
}

impl Event {
    /// The whole event as one JSON text, the same bytes every time, for someone who may see what is sensitive or not.
    pub fn envelope(&self, sensitive: bool) -> String {
        self.body(sensitive, Payload::Full, Format::Json)
    }

    /// What is sent of it to an endpoint, the same bytes every time.
    pub fn body(&self, sensitive: bool, payload: Payload, format: Format) -> String {
        let Self { id, kind, created_at, sequence, .. } = self;
        let (id, seen) = (id.to_string(), self.seen(sensitive));
        let told = Told { id: &id, kind, at: *created_at, sequence: *sequence, payload: &seen };
        body(told, payload, format)
    }

    /// The rest of its envelope for someone who may see what is sensitive or not.
    pub fn seen(&self, sensitive: bool) -> Cow<'_, str> {
        match sensitive {
            true => with_sensitive(&self.kind, &self.payload, self.sensitive.as_deref()).into(),
            false => self.payload.as_str().into(),
        }
    }
}

/// Writes an event down, in the transaction of the change that it tells of.
pub async fn announce(tx: &Tx, company: CompanyId, event: &NewEvent) -> Result<(), StoreError> {
    tx.run(insertion(), &row_of(company, event)).await.map(drop)
}

/// Writes an event down if there is a department of this id.
pub(crate) async fn announce_of_department(
    tx: &Tx,
    company: CompanyId,
    department: DepartmentId,
    event: &NewEvent,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into event (company_id, id, type, subject_id, created_at, payload, sensitive)
         select company_id, $2, $3, $4, $5, $6, $7 from department where company_id = $1 and id = $8"
    );
    let mut args = row_of(company, event);
    args.push(department.into());
    tx.run(sql, &args).await.map(drop)
}

/// Writes events down, in their order, without waiting between them.
pub async fn announce_all(tx: &Tx, company: CompanyId, events: &[NewEvent]) -> Result<(), StoreError> {
    let rows: Vec<_> = events.iter().map(|event| row_of(company, event)).collect();
    tx.run_each(insertion(), &rows).await
}

/// Up to `limit` events of all companies that were committed and not yet routed, in the order of their inserts.
pub async fn unrouted(tx: &Tx, limit: i64) -> Result<Vec<Unrouted>, StoreError> {
    let sql = sql!(
        "select position, company_id, id, type from event where sequence is null order by position limit $1"
    );
    let read = |row: &Row<'_>| {
        Ok(Unrouted { position: row.int(0)?, company: row.id(1)?, id: row.id(2)?, kind: row.text(3)? })
    };
    tx.all(sql, args![limit], read).await
}

/// Keeps other nodes from routing until this transaction ends: one of them gives out the places at a time. What is asked
/// for beside it is asked for after it.
pub async fn lock_routing(tx: &Tx) -> Result<(), StoreError> {
    tx.lock(8_245_931_981).await
}

/// Reserves so many places in the log of each of these companies; tells the one before the first of each.
pub async fn reserve(
    tx: &Tx,
    counts: &BTreeMap<CompanyId, i64>,
) -> Result<HashMap<CompanyId, i64>, StoreError> {
    let sql = sql!(
        sqlite
        "update event_log set last_sequence = last_sequence + $2 where company_id = $1
         returning company_id, last_sequence - $2",
        postgres
        "update event_log set last_sequence = last_sequence + each.count
           from unnest($1::text[], $2::bigint[]) as each (company_id, count)
          where event_log.company_id = each.company_id
         returning event_log.company_id, last_sequence - each.count"
    );
    let rows: Vec<_> = counts.iter().map(|(company, count)| args![*company, *count].to_vec()).collect();
    let before: HashMap<_, _> =
        tx.for_all(sql, &rows, |row| Ok((row.id(0)?, row.int(1)?))).await?.into_iter().collect();
    if before.len() < counts.len() { Err(StoreError::NotFound) } else { Ok(before) }
}

/// Gives each of `places` (company, position, sequence) its place; tells the events. They are found by the index of those
/// that have none.
pub async fn place(tx: &Tx, places: &[(CompanyId, i64, i64)]) -> Result<HashMap<EventId, Event>, StoreError> {
    let sql = sql!(
        sqlite
        "update event set sequence = $3 where company_id = $1 and position = $2 and sequence is null
         returning id, type, created_at, sequence, payload, sensitive",
        postgres
        "update event set sequence = each.sequence
           from unnest($1::text[], $2::bigint[], $3::bigint[]) as each (company_id, position, sequence)
          where event.company_id = each.company_id and event.position = each.position and event.sequence is null
         returning id, type, created_at, event.sequence, payload, sensitive"
    );
    let rows: Vec<_> = places
        .iter()
        .map(|(company, position, sequence)| args![*company, *position, *sequence].to_vec())
        .collect();
    let placed = tx.for_all(sql, &rows, read).await?;
    Ok(placed.into_iter().map(|event| (event.id, event)).collect())
}

/// Where a company's log stands.
pub async fn log(tx: &Tx, company: CompanyId) -> Result<Log, StoreError> {
    let sql = sql!("select expired_sequence, last_sequence from event_log where company_id = $1");
    tx.first(sql, args![company], read_log).await?.ok_or(StoreError::NotFound)
}

/// The last place of a company's log, if everything that happened there has its place.
pub async fn end_at_rest(tx: &Tx, company: CompanyId) -> Result<Option<i64>, StoreError> {
    let sql = sql!(
        sqlite "select last_sequence from event_log
                 where company_id = $1 and not exists
                       (select 1 from event indexed by event_unrouted where company_id = $1 and sequence is null)",
        postgres "select last_sequence from event_log
                   where company_id = $1 and not exists
                         (select 1 from event where company_id = $1 and sequence is null)"
    );
    tx.first(sql, args![company], |row| row.int(0)).await
}

/// The last sequence of each of these companies' logs.
pub async fn ends(tx: &Tx, companies: &[CompanyId]) -> Result<Vec<(CompanyId, i64)>, StoreError> {
    let sql = sql!(
        sqlite
        "select company_id, last_sequence from event_log
          where company_id in (select value from json_each($1))",
        postgres
        "select company_id, last_sequence from event_log
          where company_id in (select jsonb_array_elements_text($1::text::jsonb))"
    );
    let companies = serde_json::to_string(companies).map_err(StoreError::broken)?;
    tx.all(sql, args![companies], |row| Ok((row.id(0)?, row.int(1)?))).await
}

/// The endpoint that a test is for.
pub async fn tested(tx: &Tx, company: CompanyId, id: EventId) -> Result<WebhookId, StoreError> {
    let sql = sql!("select subject_id from event where company_id = $1 and id = $2");
    tx.first(sql, args![company, id], |row| row.id(0)).await?.ok_or(StoreError::NotFound)
}

/// Up to `limit` events of a company after `after`, or from the oldest that is kept, in order; of these types, or
/// of all. One statement, so that the log stood like this when these were its events.
pub async fn page(
    tx: &Tx,
    company: CompanyId,
    after: Option<i64>,
    types: Option<&Types>,
    limit: i64,
) -> Result<Page, StoreError> {
    let all = sql!(
        "select l.expired_sequence, l.last_sequence, e.id, e.type, e.created_at, e.sequence, e.payload, e.sensitive
           from event_log l left join
                (select id, type, created_at, sequence, payload, sensitive from event
                  where company_id = $1 and sequence > coalesce($2,
                        (select expired_sequence from event_log where company_id = $1))
                  order by sequence limit $3) e on 1 = 1
          where l.company_id = $1 order by e.sequence"
    );
    // No log is so long; the end of the span has to be a number too.
    let after = after.map(|after| after.min(i64::MAX - SPAN));
    let mut args = args![company, after, limit].to_vec();
    let asked = types.map_or(&[][..], Types::each);
    args.extend(asked.iter().map(|kind| (*kind).into()));
    let is_common = asked.iter().any(|kind| COMMON.contains(kind));
    let some = match types {
        None => None,
        Some(_) if is_common => Some(common(asked.len())),
        Some(_) => Some(rare(asked.len())),
    };
    let rows = tx
        .all(some.as_ref().unwrap_or(all), &args, |row| {
            let event = row.opt_text(2)?.map(|_| read_from(row, 2)).transpose()?;
            Ok((read_log(row)?, event))
        })
        .await?;
    let log = rows.first().ok_or(StoreError::NotFound)?.0;
    let through = match is_common {
        true => log.last.min(after.unwrap_or(log.expired).saturating_add(SPAN)),
        false => log.last,
    };
    let mut events: Vec<_> = rows.into_iter().filter_map(|(_, event)| event).collect();
    conceal(tx, company, events.iter_mut()).await?;
    Ok(Page { log, through, events })
}

/// The types that most events are of: the index of the rare ones leaves them out.
const COMMON: [&str; 2] = ["employee.created", "employee.updated"];

/// Events that are looked through for common types at once.
const SPAN: i64 = 5_000;

/// As in [`page`], of `count` types, some of which are common: a span of the log is looked through.
fn common(count: usize) -> Sql {
    let types: Vec<_> = (0..count).map(|number| format!("${}", 4 + number)).collect();
    Sql::made(format!(
        "select l.expired_sequence, l.last_sequence, e.id, e.type, e.created_at, e.sequence, e.payload, e.sensitive
           from event_log l left join
                (select id, type, created_at, sequence, payload, sensitive from event
                  where company_id = $1 and sequence > coalesce($2,
                        (select expired_sequence from event_log where company_id = $1))
                    and sequence <= {SPAN} + coalesce($2,
                        (select expired_sequence from event_log where company_id = $1))
                    and type in ({})
                  order by sequence limit $3) e on 1 = 1
          where l.company_id = $1 order by e.sequence",
        types.join(", ")
    ))
}

/// As in [`page`], of `count` rare types. Each is found by its own walk along their index, however long the log is.
fn rare(count: usize) -> Sql {
    let walk = |number: usize| {
        format!(
            "select sequence from (select sequence from event
                where company_id = $1 and type = ${} and sequence > coalesce($2,
                      (select expired_sequence from event_log where company_id = $1))
                  and sequence is not null and type <> 'employee.created' and type <> 'employee.updated'
                order by sequence limit $3) t{number}",
            4 + number
        )
    };
    let walks: Vec<_> = (0..count).map(walk).collect();
    Sql::made(format!(
        "select l.expired_sequence, l.last_sequence, e.id, e.type, e.created_at, e.sequence, e.payload, e.sensitive
           from event_log l left join
                (select found.id, found.type, found.created_at, found.sequence, found.payload, found.sensitive
                   from (select sequence from ({}) walks order by sequence limit $3) picked
                        cross join event found
                  where found.company_id = $1 and found.sequence = picked.sequence) e on 1 = 1
          where l.company_id = $1 order by e.sequence",
        walks.join(" union all ")
    ))
}

/// The events of a company that stand at these places, in order.
pub async fn at(tx: &Tx, company: CompanyId, sequences: &[i64]) -> Result<Vec<Event>, StoreError> {
    let sql = sql!(
        sqlite
        "select id, type, created_at, sequence, payload, sensitive from event
          where company_id = $1 and sequence in (select value from json_each($2)) order by sequence",
        postgres
        "select id, type, created_at, sequence, payload, sensitive from event
          where company_id = $1
            and sequence = any (array(select jsonb_array_elements_text($2::text::jsonb)::bigint)) order by sequence"
    );
    let sequences = serde_json::to_string(sequences).map_err(StoreError::broken)?;
    tx.all(sql, args![company, sequences], read).await
}

/// The places of these events of a company; those that there are not have none.
pub async fn places(
    tx: &Tx,
    company: CompanyId,
    ids: &[EventId],
) -> Result<HashMap<EventId, i64>, StoreError> {
    let sql = sql!(
        sqlite
        "select id, sequence from event
          where company_id = $1 and id in (select value from json_each($2)) and sequence is not null",
        postgres
        "select id, sequence from event
          where company_id = $1 and id = any (array(select jsonb_array_elements_text($2::text::jsonb)))
            and sequence is not null"
    );
    let ids = serde_json::to_string(ids).map_err(StoreError::broken)?;
    Ok(tx.all(sql, args![company, ids], |row| Ok((row.id(0)?, row.int(1)?))).await?.into_iter().collect())
}

/// These events of a company, as far as there are such, in no order.
pub async fn of(tx: &Tx, company: CompanyId, ids: &[EventId]) -> Result<Vec<Event>, StoreError> {
    let sql = sql!(
        sqlite
        "select id, type, created_at, sequence, payload, sensitive from event
          where company_id = $1 and id in (select value from json_each($2)) and sequence is not null",
        postgres
        "select id, type, created_at, sequence, payload, sensitive from event
          where company_id = $1 and id = any (array(select jsonb_array_elements_text($2::text::jsonb)))
            and sequence is not null"
    );
    let ids = serde_json::to_string(ids).map_err(StoreError::broken)?;
    let mut events = tx.all(sql, args![company, ids], read).await?;
    conceal(tx, company, events.iter_mut()).await?;
    Ok(events)
}

/// One event of a company, once it has its place.
pub async fn get(tx: &Tx, company: CompanyId, id: EventId) -> Result<Event, StoreError> {
    let sql = sql!(
        "select id, type, created_at, sequence, payload, sensitive from event
          where company_id = $1 and id = $2 and sequence is not null"
    );
    let mut event = tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)?;
    conceal(tx, company, std::iter::once(&mut event)).await?;
    Ok(event)
}

/// When the last event of all companies happened.
pub async fn newest(tx: &Tx) -> Result<Option<Timestamp>, StoreError> {
    let sql = sql!("select created_at from event order by position desc limit 1");
    tx.first(sql, &[], |row| row.time(0)).await
}

/// Hides in `events` what fields tell that have become sensitive after it was written, as if it had been hidden then.
/// Events without values of such fields, which most are, cost nothing.
pub(crate) async fn conceal<'e>(
    tx: &Tx,
    company: CompanyId,
    events: impl Iterator<Item = &'e mut Event>,
) -> Result<(), StoreError> {
    let showing: Vec<_> = events.filter(|event| shows_custom_values(&event.payload)).collect();
    if showing.is_empty() {
        return Ok(());
    }
    let slugs = custom_field::sensitive(tx, company).await?;
    for event in showing {
        if let Some((payload, sensitive)) = concealed(&event.payload, event.sensitive.as_deref(), &slugs) {
            (event.payload, event.sensitive) = (payload, Some(sensitive));
        }
    }
    Ok(())
}

fn insertion() -> &'static Sql {
    sql!(
        "insert into event (company_id, id, type, subject_id, created_at, payload, sensitive)
         values ($1, $2, $3, $4, $5, $6, $7)"
    )
}

fn row_of(company: CompanyId, event: &NewEvent) -> Vec<Arg<'_>> {
    let NewEvent { id, kind, subject, at, payload, sensitive } = event;
    args![company, *id, kind.as_str(), subject, *at, payload, sensitive].to_vec()
}

fn read(row: &Row<'_>) -> Result<Event, StoreError> {
    read_from(row, 0)
}

/// An event from its five columns, the first of which is `column`.
fn read_from(row: &Row<'_>, column: usize) -> Result<Event, StoreError> {
    Ok(Event {
        id: row.id(column)?,
        kind: row.text(column + 1)?,
        created_at: row.time(column + 2)?,
        sequence: row.int(column + 3)?,
        payload: row.text(column + 4)?,
        sensitive: row.opt_text(column + 5)?,
    })
}

fn read_log(row: &Row<'_>) -> Result<Log, StoreError> {
    Ok(Log { expired: row.int(0)?, last: row.int(1)? })
}
