//! What an endpoint is to get of a part of the log, and what became of each event there so far.

use std::collections::HashMap;

use orquiva_core::Timestamp;
use orquiva_core::event::{Pattern, Types};
use orquiva_core::id::{CompanyId, EventId, WebhookId};
use orquiva_core::webhook::replay::Which;
use orquiva_core::webhook::{Filter, NewWebhook, Status};

use crate::event::{self, Event};
use crate::sql::sql;
use crate::{Row, StoreError, Tx, args, webhook};

/// An endpoint, as far as it matters what it gets.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which endpoint.
    pub webhook: WebhookId,
    /// Whether it takes deliveries.
    pub status: Status,
    /// Whether it takes events in order.
    pub ordered: bool,
    events: Vec<Pattern>,
    filter: Option<Filter>,
    sensitive: bool,
}

/// What is asked for of a log.
#[derive(Clone, Debug)]
pub struct Asked {
    /// To which endpoint.
    pub target: Target,
    /// Events from this moment on.
    pub from: Option<Timestamp>,
    /// Events before this moment.
    pub to: Option<Timestamp>,
    /// The last place.
    pub last: i64,
    /// The places, if they are named one by one: then it does not matter what the endpoint is subscribed to.
    pub sequences: Option<Vec<i64>>,
    types: Types,
}

/// A part of a log that was looked through.
#[derive(Clone, Debug)]
pub struct Part {
    /// What was asked for of it.
    pub events: Vec<(Event, Fate)>,
    /// Up to where it was looked through.
    pub through: i64,
}

/// What became of an event at an endpoint, over all its deliveries there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// One waits.
    pub waits: bool,
    /// One arrived.
    pub arrived: bool,
    /// One failed.
    pub failed: bool,
}

impl Fate {
    /// Whether whoever asks for `which` means an event that fared so. What waits is sent anyway.
    pub fn is_meant_by(self, which: Which) -> bool {
        let Self { waits, arrived, failed } = self;
        !waits
            && match which {
                Which::Failed => failed && !arrived,
                Which::Missed => !arrived,
                Which::All => true,
            }
    }
}

/// Events may stand in the log in another order than that of their moments, up to this, in milliseconds: that of a long
/// transaction, and of clocks that differ.
pub(crate) const DISORDER: i64 = 300_000;

/// An endpoint as it is now.
pub async fn target(tx: &Tx, company: CompanyId, id: WebhookId) -> Result<Target, StoreError> {
    let shape = webhook::get(tx, company, id).await?.shape;
    let NewWebhook { status, ordered, events, filter, sensitive, .. } = shape;
    Ok(Target { webhook: id, status, ordered, events, filter, sensitive })
}

impl Target {
    /// Whether it takes nothing any more.
    pub fn is_disabled(&self) -> bool {
        self.status == Status::Disabled
    }

    /// Whether it wants an event that it is subscribed to.
    fn wants(&self, event: &Event) -> bool {
        self.filter.as_ref().is_none_or(|filter| {
            let seen = serde_json::from_str(&event.seen(self.sensitive)).unwrap_or_default();
            filter.matches(&event.kind, &seen)
        })
    }
}

impl Asked {
    /// All that `target` is subscribed to, of `types` if there are any.
    pub fn of(target: Target, types: Option<&Types>) -> Self {
        let types = Types::matching(&target.events, types);
        Self { target, from: None, to: None, last: 0, sequences: None, types }
    }

    /// The events at these places, which rise.
    #[must_use]
    pub fn at(self, sequences: Vec<i64>) -> Self {
        let last = sequences.last().copied().unwrap_or_default();
        Self { sequences: Some(sequences), last, ..self }
    }

    /// The same between two moments. Returns the place before the first one as well.
    pub async fn between(
        self,
        tx: &Tx,
        company: CompanyId,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> Result<(Self, i64), StoreError> {
        let log = event::log(tx, company).await?;
        let first = first_at(tx, company, log, from.plus(-DISORDER)).await?;
        let last = match to {
            Some(to) => first_at(tx, company, log, to.plus(DISORDER)).await? - 1,
            None => log.last,
        };
        Ok((Self { from: Some(from), to, last, ..self }, first - 1))
    }

    /// What is asked for among up to `limit` events after the place `after`.
    pub async fn look(
        &self,
        tx: &Tx,
        company: CompanyId,
        after: i64,
        limit: i64,
    ) -> Result<Part, StoreError> {
        let (mut events, through) = match &self.sequences {
            Some(sequences) => {
                let next = sequences.iter().copied().filter(|sequence| *sequence > after);
                let next: Vec<_> = next.take(limit as usize).collect();
                (event::at(tx, company, &next).await?, next.last().copied().unwrap_or(self.last))
            }
            None if self.types.each().is_empty() => (Vec::new(), self.last),
            None => {
                let types = (!self.types.are_all()).then_some(&self.types);
                let page = event::page(tx, company, Some(after), types, limit).await?;
                let full = page.events.len() as i64 >= limit;
                let filled = page.events.last().filter(|_| full).map(|last| last.sequence);
                (page.events, filled.unwrap_or(page.through).min(self.last))
            }
        };
        events.retain(|event| {
            event.sequence <= self.last
                && self.from.is_none_or(|from| event.created_at >= from)
                && self.to.is_none_or(|to| event.created_at < to)
                && (self.sequences.is_some() || self.target.wants(event))
        });
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        let fates = fates(tx, company, self.target.webhook, &ids).await?;
        let with_fate = |event: Event| {
            let fate = fates.get(&event.id).copied().unwrap_or_default();
            (event, fate)
        };
        Ok(Part { events: events.into_iter().map(with_fate).collect(), through })
    }
}

/// What became of these events at an endpoint; of which there is nothing, it never was sent.
pub(crate) async fn fates(
    tx: &Tx,
    company: CompanyId,
    webhook: WebhookId,
    events: &[EventId],
) -> Result<HashMap<EventId, Fate>, StoreError> {
    // The events lead, each to its few deliveries: an endpoint may have millions.
    let sql = sql!(
        sqlite
        "select d.event_id, d.state from json_each($3) e cross join delivery d indexed by delivery_event
          where d.event_id = e.value and d.company_id = $1 and d.webhook_id = $2",
        postgres
        "select d.event_id, d.state from jsonb_array_elements_text($3::text::jsonb) e (id)
           cross join lateral (select event_id, state, webhook_id from delivery
                                where event_id = e.id and company_id = $1 offset 0) d
          where d.webhook_id = $2"
    );
    let events = serde_json::to_string(events).map_err(StoreError::broken)?;
    let read = |row: &Row<'_>| Ok((row.id(0)?, row.text(1)?));
    let mut fates: HashMap<EventId, Fate> = HashMap::new();
    for (event, state) in tx.all(sql, args![company, webhook, events], read).await? {
        let fate = fates.entry(event).or_default();
        match state.as_str() {
            "waiting" => fate.waits = true,
            "delivered" => fate.arrived = true,
            "failed" => fate.failed = true,
            _ => {}
        }
    }
    Ok(fates)
}

/// The place of the first event of a log that happened at `moment` or later; the one after the last if there is none.
/// Mostly it is near the end: steps back that double come to before it, then it is found by halving.
pub(crate) async fn first_at(
    tx: &Tx,
    company: CompanyId,
    log: event::Log,
    moment: Timestamp,
) -> Result<i64, StoreError> {
    let sql = sql!("select created_at from event where company_id = $1 and sequence = $2");
    let (mut before, mut first) = (log.expired, log.last + 1);
    let mut step = Some(1);
    while first - before > 1 {
        let middle = match step {
            Some(step) => (first - step).max(before + 1),
            None => before + (first - before) / 2,
        };
        let at = tx.first(sql, args![company, middle], |row| row.time(0)).await?;
        match at {
            // One that has expired meanwhile was early.
            Some(at) if at >= moment => {
                first = middle;
                step = step.map(|step| 2 * step);
            }
            Some(_) | None => {
                before = middle;
                step = None;
            }
        }
    }
    Ok(first)
}
