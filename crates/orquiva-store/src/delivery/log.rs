//! The log of deliveries: what was sent where and what came back, found again, asked for again, and removed in time.

use orquiva_core::id::{CompanyId, DeliveryId, EventId, ReplayId, WebhookId};
use orquiva_core::{Plan, Timestamp};

use crate::lane::{self, Lane};
use crate::sql::{Sql, sql};
use crate::{Arg, Row, StoreError, Tx, args};

/// A delivery as the API shows it, without its attempts.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Where to.
    pub webhook: WebhookId,
    /// Which event.
    pub event: EventId,
    /// The event's type.
    pub kind: String,
    /// Its state.
    pub state: String,
    /// When it is tried next, while it waits.
    pub due_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it arrived or failed for good.
    pub done_at: Option<Timestamp>,
    /// The replay that it belongs to.
    pub replay: Option<ReplayId>,
    /// Whether it failed because it waited for a paused endpoint for too long.
    pub expired: bool,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// To this endpoint.
    pub webhook: Option<WebhookId>,
    /// Of this event.
    pub event: Option<EventId>,
    /// Of events of this type.
    pub kind: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Of this replay.
    pub replay: Option<ReplayId>,
    /// Made at this moment or later.
    pub from: Option<Timestamp>,
    /// Made before this moment.
    pub to: Option<Timestamp>,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// The deliveries, the newest first.
    pub found: Vec<Delivery>,
    /// Where the list goes on, if it does: after what was found or, if that is less than a page, after what was looked
    /// through.
    pub next: Option<DeliveryId>,
}

/// An attempt as it is read back.
#[derive(Clone, Debug)]
pub struct StoredAttempt {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Counts from 1.
    pub number: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration: i64,
    /// The HTTP status, if there was an answer.
    pub status: Option<i64>,
    /// Why there was none.
    pub error: Option<String>,
    /// The same in words.
    pub detail: Option<String>,
    /// Who was at the other end.
    pub address: Option<String>,
}

/// What an attempt sent and what came back.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The attempt.
    pub attempt: StoredAttempt,
    /// What was called.
    pub url: Option<String>,
    /// The headers of the request that do not follow from the delivery, one `name: value` a line.
    pub sent: Option<String>,
    /// How the body was made of the event; nothing if plainly.
    pub shape: Option<String>,
    /// The headers of an answer that was no success, one `name: value` a line.
    pub headers: Option<String>,
    /// The beginning of the answer's body.
    pub response: Option<String>,
}

/// Deliveries that are looked through for one page.
const SPAN: i64 = 5_000;

/// As many that wait are gathered before a page is made of them.
const GATHERED: i64 = 10_000;

/// The lines that what waits stands in: the index of each, and what it is of.
const LINES: [(&str, &str); 4] = [
    ("delivery_first", "place is null and attempts = 0 and replay_id is null"),
    ("delivery_again", "place is null and attempts > 0"),
    ("delivery_replayed", "place is null and attempts = 0 and replay_id is not null"),
    ("delivery_placed", "place is not null"),
];

/// The deliveries of a company that match `filter`, the newest first, before `before`: up to `limit`, or those among the
/// next [`SPAN`] if what is asked for is rarer than that.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    filter: &Filter,
    before: Option<DeliveryId>,
    limit: i64,
) -> Result<Page, StoreError> {
    let few = match filter.state.as_deref() {
        Some("waiting") => waiting(tx, company, filter.webhook, GATHERED).await? < GATHERED,
        Some(_) | None => false,
    };
    let mut walk = Walk::of(company, filter, few);
    if let Some(before) = before {
        walk.and("id <", before.into());
    }
    let (rest, args) = walk.rest(filter);
    let mut found = tx.all(&walk.page(&rest, limit + 1), &args, read).await?;
    let full = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next = match full {
        true => found.last().map(|last| last.id),
        false if rest.is_empty() => None,
        false => tx.first(&walk.end(), &walk.args, |row| row.id(0)).await?,
    };
    Ok(Page { found, next })
}

/// The statement of a list while it is made: along one index, and what is left to be compared on the way.
struct Walk {
    /// The index, if it is not the key.
    index: &'static str,
    /// What is asked of it beside the company.
    along: String,
    args: Vec<Arg<'static>>,
    /// What the index knows.
    has: Vec<&'static str>,
}

impl Walk {
    fn of(company: CompanyId, filter: &Filter, few_wait: bool) -> Self {
        let args = args![company].to_vec();
        let mut walk = Self { index: "", along: String::new(), args, has: Vec::new() };
        if let Some(event) = filter.event {
            walk.index = " indexed by delivery_event";
            walk.by("event", "event_id =", event.into());
        } else if let Some(replay) = filter.replay {
            walk.index = " indexed by delivery_replay";
            walk.by("replay", "replay_id =", replay.into());
        } else if let Some(state @ ("failed" | "cancelled")) = filter.state.as_deref() {
            walk.index = " indexed by delivery_ended";
            walk.along.push_str(" and state in ('failed', 'cancelled')");
            walk.by("state", "state =", state.to_owned().into());
        } else if let Some(webhook) = filter.webhook {
            walk.index = " indexed by delivery_webhook";
            walk.by("webhook", "webhook_id =", webhook.into());
        }
        if few_wait && walk.has.iter().all(|has| *has == "webhook") {
            let of_one = if filter.webhook.is_some() { "and webhook_id = $2 " } else { "" };
            let line = |(index, line): &(&str, &str)| {
                format!(
                    "select id from delivery indexed by {index}
                      where company_id = $1 {of_one}and state = 'waiting' and {line}"
                )
            };
            let lines: Vec<_> = LINES.iter().map(line).collect();
            walk.index = "";
            walk.along = format!(" and id in ({})", lines.join(" union all "));
            walk.has.push("state");
        }
        // Ids rise with time: they are the order of the list, and the times that it is narrowed to.
        if let Some(from) = filter.from {
            walk.and("id >=", DeliveryId::first_at(from).into());
        }
        if let Some(to) = filter.to {
            walk.and("id <", DeliveryId::first_at(to).into());
        }
        walk
    }

    fn by(&mut self, what: &'static str, condition: &str, value: Arg<'static>) {
        self.has.push(what);
        self.and(condition, value);
    }

    fn and(&mut self, condition: &str, value: Arg<'static>) {
        self.args.push(value);
        self.along.push_str(&format!(" and {condition} ${}", self.args.len()));
    }

    /// What the index does not know, in the words of SQL, and what is compared with.
    fn rest(&self, filter: &Filter) -> (String, Vec<Arg<'static>>) {
        let Filter { webhook, kind, state, replay, .. } = filter;
        let asked: [(&'static str, &str, Option<Arg<'static>>); 4] = [
            ("webhook", "webhook_id =", webhook.map(Arg::from)),
            ("replay", "replay_id =", replay.map(Arg::from)),
            ("state", "state =", state.clone().map(Arg::from)),
            ("kind", "event_type =", kind.clone().map(Arg::from)),
        ];
        let left = asked.into_iter().filter(|(what, ..)| !self.has.contains(what));
        let mut conditions = Vec::new();
        let mut args = self.args.clone();
        for (_, condition, value) in left {
            if let Some(value) = value {
                args.push(value);
                conditions.push(format!("{condition} ${}", args.len()));
            }
        }
        (conditions.join(" and "), args)
    }

    fn page(&self, rest: &str, limit: i64) -> Sql {
        let Self { index, along, .. } = self;
        Sql::made(match rest.is_empty() {
            true => format!(
                "select {COLUMNS} from delivery{index} where company_id = $1{along} order by id desc limit {limit}"
            ),
            false => format!(
                "select {COLUMNS} from (select {COLUMNS} from delivery{index} where company_id = $1{along}
                                         order by id desc limit {SPAN}) walked
                  where {rest} order by id desc limit {limit}"
            ),
        })
    }

    /// The last one that was looked at, if there may be more.
    fn end(&self) -> Sql {
        let (Self { index, along, .. }, before) = (self, SPAN - 1);
        Sql::made(format!(
            "select id from delivery{index} where company_id = $1{along} order by id desc limit 1 offset {before}"
        ))
    }
}

const COLUMNS: &str =
    "id, webhook_id, event_id, event_type, state, due_at, created_at, done_at, replay_id, error";

/// One delivery.
pub async fn get(tx: &Tx, company: CompanyId, id: DeliveryId) -> Result<Delivery, StoreError> {
    let sql = sql!(
        "select id, webhook_id, event_id, event_type, state, due_at, created_at, done_at, replay_id, error
           from delivery where company_id = $1 and id = $2"
    );
    tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)
}

/// The attempts of each of these deliveries, in order.
pub async fn attempts(
    tx: &Tx,
    company: CompanyId,
    deliveries: &[DeliveryId],
) -> Result<Vec<StoredAttempt>, StoreError> {
    let sql = sql!(
        sqlite
        "select a.delivery_id, a.number, a.started_at, a.duration, a.status, a.error, a.detail, a.address
           from json_each($2) d join attempt a on a.delivery_id = d.value
          where a.company_id = $1 order by a.delivery_id, a.started_at, a.number",
        postgres
        "select a.delivery_id, a.number, a.started_at, a.duration, a.status, a.error, a.detail, a.address
           from jsonb_array_elements_text($2::text::jsonb) d (id) join attempt a on a.delivery_id = d.id
          where a.company_id = $1 order by a.delivery_id, a.started_at, a.number"
    );
    let ids = serde_json::to_string(deliveries).map_err(StoreError::broken)?;
    tx.all(sql, args![company, ids], read_attempt).await
}

/// The attempts of a delivery, in order, with what was sent and what came back.
pub async fn exchanges(tx: &Tx, company: CompanyId, id: DeliveryId) -> Result<Vec<Exchange>, StoreError> {
    let sql = sql!(
        "select delivery_id, number, started_at, duration, status, error, detail, address, url, signature, shape,
                response_headers, response
           from attempt where company_id = $1 and delivery_id = $2 order by started_at, number"
    );
    tx.all(sql, args![company, id], |row| {
        Ok(Exchange {
            attempt: read_attempt(row)?,
            url: row.opt_text(8)?,
            sent: row.opt_text(9)?,
            shape: row.opt_text(10)?,
            headers: row.opt_text(11)?,
            response: row.opt_text(12)?,
        })
    })
    .await
}

/// How many deliveries wait, in a company or for one endpoint, counted up to `most`.
pub async fn waiting(
    tx: &Tx,
    company: CompanyId,
    webhook: Option<WebhookId>,
    most: i64,
) -> Result<i64, StoreError> {
    let of_one = if webhook.is_some() { "and webhook_id = $2 " } else { "" };
    let line = |(index, line): &(&str, &str)| {
        format!(
            "select count(*) as n from (select 1 from delivery indexed by {index}
              where company_id = $1 {of_one}and state = 'waiting' and {line} limit {most}) w"
        )
    };
    let lines: Vec<_> = LINES.iter().map(line).collect();
    let mut args = args![company].to_vec();
    args.extend(webhook.map(Arg::from));
    let counts = tx.all(&Sql::made(lines.join(" union all ")), &args, |row| row.int(0)).await?;
    Ok(counts.into_iter().sum::<i64>().min(most))
}

/// Sends a delivery again at once with all its tries before it, or tries one that waits now. With `unpause` it does not
/// wait for the end of a pause either.
pub async fn retry(
    tx: &Tx,
    lane: Lane,
    id: DeliveryId,
    unpause: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update delivery set
            attempts = case when state = 'waiting' then attempts else 0 end,
            place = case when (select w.ordered from webhook w where w.company_id = $1 and w.id = delivery.webhook_id) = 1
                         then (select e.sequence from event e where e.company_id = $1 and e.id = delivery.event_id) end,
            state = 'waiting', due_at = $3, first_due_at = $3, done_at = null
          where company_id = $1 and id = $2"
    );
    tx.run(sql, args![lane.company, id, now]).await?;
    if unpause {
        lane::unpause(tx, lane).await?;
    }
    lane::mark_due(tx, &[lane], now).await
}

/// Deliveries that were looked at for what may go.
#[derive(Clone, Debug)]
pub struct Old {
    /// Those that may.
    pub gone: Vec<DeliveryId>,
    /// The last one that was looked at, if there may be more.
    pub through: Option<DeliveryId>,
}

/// Up to `limit` companies after `after` that have deliveries from before `before`, and what they pay for.
pub async fn companies(
    tx: &Tx,
    after: Option<CompanyId>,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<(CompanyId, Plan)>, StoreError> {
    let sql = sql!(
        "select c.id, c.plan from company c
          where c.id > $1 and exists (select 1 from delivery d where d.company_id = c.id and d.id < $2)
          order by c.id limit $3"
    );
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    tx.all(sql, args![after, DeliveryId::first_at(before), limit], |row| {
        let plan = row.text(1)?;
        let known = Plan::parse(&plan).ok_or_else(|| StoreError::broken(format!("`{plan}` is no plan")))?;
        Ok((row.id(0)?, known))
    })
    .await
}

/// Looks at up to `limit` deliveries of a company after `after` for those that arrived, or were cancelled, before
/// `before`. What failed stays as long as its event, and what waits as long as it does.
pub async fn old(
    tx: &Tx,
    company: CompanyId,
    after: Option<DeliveryId>,
    before: Timestamp,
    limit: i64,
) -> Result<Old, StoreError> {
    let sql = sql!(
        "select id, state, done_at from delivery where company_id = $1 and id > $2 and id < $3 order by id limit $4"
    );
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let read = |row: &Row<'_>| Ok((row.id(0)?, row.text(1)?, row.opt_time(2)?));
    let found = tx.all(sql, args![company, after, DeliveryId::first_at(before), limit], read).await?;
    let full = found.len() as i64 == limit;
    let through = found.last().filter(|_| full).map(|(id, ..)| *id);
    let is_gone = |state: &str, done: Option<Timestamp>| {
        matches!(state, "delivered" | "cancelled") && done.is_some_and(|done| done < before)
    };
    let gone = found.into_iter().filter(|(_, state, done)| is_gone(state, *done)).map(|(id, ..)| id);
    Ok(Old { gone: gone.collect(), through })
}

/// Removes deliveries with their attempts; one that was asked for again meanwhile stays.
pub async fn remove(tx: &Tx, company: CompanyId, ids: &[DeliveryId]) -> Result<(), StoreError> {
    let deliveries = sql!(
        sqlite
        "delete from delivery where company_id = $1 and id in (select value from json_each($2))
            and state in ('delivered', 'cancelled') returning id",
        postgres
        "delete from delivery where company_id = $1
            and id = any (array(select jsonb_array_elements_text($2::text::jsonb)))
            and state in ('delivered', 'cancelled') returning id"
    );
    let attempts = sql!(
        sqlite
        "delete from attempt where company_id = $1 and delivery_id in (select value from json_each($2))",
        postgres
        "delete from attempt where company_id = $1
            and delivery_id = any (array(select jsonb_array_elements_text($2::text::jsonb)))"
    );
    let list = |ids: &[DeliveryId]| serde_json::to_string(ids).map_err(StoreError::broken);
    let gone: Vec<DeliveryId> = tx.all(deliveries, args![company, list(ids)?], |row| row.id(0)).await?;
    tx.run(attempts, args![company, list(&gone)?]).await.map(drop)
}

fn read(row: &Row<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: row.id(0)?,
        webhook: row.id(1)?,
        event: row.id(2)?,
        kind: row.text(3)?,
        state: row.text(4)?,
        due_at: row.time(5)?,
        created_at: row.time(6)?,
        done_at: row.opt_time(7)?,
        replay: row.opt_id(8)?,
        expired: row.text(4)? == "failed" && row.opt_text(9)?.as_deref() == Some("expired"),
    })
}

fn read_attempt(row: &Row<'_>) -> Result<StoredAttempt, StoreError> {
    Ok(StoredAttempt {
        delivery: row.id(0)?,
        number: row.int(1)?,
        started_at: row.time(2)?,
        duration: row.int(3)?,
        status: row.opt_int(4)?,
        error: row.opt_text(5)?,
        detail: row.opt_text(6)?,
        address: row.opt_text(7)?,
    })
}
