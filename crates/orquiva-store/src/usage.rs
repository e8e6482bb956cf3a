//! How much each client used, minute by minute: counted in memory by each node, added up here.

use std::collections::HashMap;

use orquiva_core::Timestamp;
use orquiva_core::id::{ClientId, CompanyId};

use crate::sql::sql;
use crate::{Arg, Row, StoreError, Tx, args};

/// How long the counts are kept, in milliseconds: 30 days.
pub const KEPT: i64 = 30 * 86_400_000;

/// What one client did in one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute {
    /// Whose client it is.
    pub company: CompanyId,
    /// The client.
    pub client: ClientId,
    /// When the minute began.
    pub start: Timestamp,
    /// Requests with a live token, whatever came of them.
    pub requests: i64,
    /// Those that were over a limit: 429.
    pub refused: i64,
    /// Those that failed otherwise: any other status from 400 on.
    pub errors: i64,
}

/// Adds counts to those that are there. The rows have to be in the order of their keys: several nodes add at
/// once, and in one order they never wait for each other in a circle.
pub async fn add(tx: &Tx, minutes: &[Minute]) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into usage_minute (company_id, minute, client_id, requests, refused, errors)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (company_id, minute, client_id) do update
            set requests = usage_minute.requests + excluded.requests,
                refused = usage_minute.refused + excluded.refused,
                errors = usage_minute.errors + excluded.errors"
    );
    let row = |one: &Minute| -> Vec<Arg<'_>> {
        args![one.company, one.start, one.client, one.requests, one.refused, one.errors].to_vec()
    };
    tx.run_each(sql, &minutes.iter().map(row).collect::<Vec<_>>()).await
}

/// Which minutes of a company.
#[derive(Clone, Debug)]
pub struct Filter {
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// Of this client only.
    pub client: Option<ClientId>,
    /// After this minute and client of the list.
    pub after: Option<(Timestamp, ClientId)>,
}

/// The minutes of a company, the newest first; those in which a client did nothing are not there.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Minute>, StoreError> {
    let all = sql!(
        "select company_id, minute, client_id, requests, refused, errors from usage_minute
          where company_id = $1 and minute >= $2 and minute < $3 and minute <= $4
            and (minute < $4 or client_id < $5)
          order by minute desc, client_id desc limit $6"
    );
    let of_one = sql!(
        "select company_id, minute, client_id, requests, refused, errors from usage_minute
          where company_id = $1 and client_id = $7 and minute >= $2 and minute < $3 and minute <= $4
            and (minute < $4 or client_id < $5)
          order by minute desc limit $6"
    );
    let Filter { from, to, client, after } = filter;
    let from = from.unwrap_or(Timestamp::from_millis(i64::MIN));
    let to = to.unwrap_or(Timestamp::from_millis(i64::MAX));
    let (minute, below) = match after {
        Some((minute, client)) => (*minute, client.to_string()),
        None => (Timestamp::from_millis(i64::MAX), String::new()),
    };
    let mut args = args![company, from, to, minute, below, limit].to_vec();
    args.extend(client.map(Arg::from));
    let sql = if client.is_some() { of_one } else { all };
    tx.all(sql, &args, |row| {
        Ok(Minute {
            company: row.id(0)?,
            start: row.time(1)?,
            client: row.id(2)?,
            requests: row.int(3)?,
            refused: row.int(4)?,
            errors: row.int(5)?,
        })
    })
    .await
}

/// What happened in a part of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub start: Timestamp,
    /// Requests, whatever came of them.
    pub requests: i64,
    /// Those of the minute that had most.
    pub peak: i64,
    /// Those that were over a limit.
    pub refused: i64,
    /// Those that failed otherwise.
    pub errors: i64,
}

/// What a company did from `from` on, before `to`, in parts of `width` milliseconds; of one client, if one is named. Parts
/// in which nothing happened are not there.
pub async fn spans(
    tx: &Tx,
    company: CompanyId,
    client: Option<ClientId>,
    (from, to): (Timestamp, Timestamp),
    width: i64,
) -> Result<Vec<Span>, StoreError> {
    let all = sql!(
        "select start, cast(sum(requests) as bigint), cast(max(requests) as bigint), cast(sum(refused) as bigint),
                cast(sum(errors) as bigint)
           from (select minute - (minute - $2) % $4 as start, sum(requests) as requests, sum(refused) as refused,
                        sum(errors) as errors
                   from usage_minute where company_id = $1 and minute >= $2 and minute < $3 group by minute) minutes
          group by start order by start"
    );
    let of_one = sql!(
        "select minute - (minute - $2) % $4 as start, cast(sum(requests) as bigint), max(requests),
                cast(sum(refused) as bigint), cast(sum(errors) as bigint)
           from usage_minute where company_id = $1 and client_id = $5 and minute >= $2 and minute < $3
          group by start order by start"
    );
    let mut args = args![company, from, to, width].to_vec();
    args.extend(client.map(Arg::from));
    tx.all(if client.is_some() { of_one } else { all }, &args, |row| {
        Ok(Span {
            start: row.time(0)?,
            requests: row.int(1)?,
            peak: row.int(2)?,
            refused: row.int(3)?,
            errors: row.int(4)?,
        })
    })
    .await
}

/// What each client of a company did from `from` on: all of it as one span each.
pub async fn totals(
    tx: &Tx,
    company: CompanyId,
    from: Timestamp,
) -> Result<HashMap<ClientId, Span>, StoreError> {
    let sql = sql!(
        "select client_id, cast(sum(requests) as bigint), max(requests), cast(sum(refused) as bigint),
                cast(sum(errors) as bigint)
           from usage_minute where company_id = $1 and minute >= $2 group by client_id"
    );
    let read = |row: &Row<'_>| {
        let (requests, peak, refused, errors) = (row.int(1)?, row.int(2)?, row.int(3)?, row.int(4)?);
        Ok((row.id(0)?, Span { start: from, requests, peak, refused, errors }))
    };
    Ok(tx.all(sql, args![company, from], read).await?.into_iter().collect())
}

/// How many requests each client of a company made from `from` on.
pub async fn by_client(
    tx: &Tx,
    company: CompanyId,
    from: Timestamp,
) -> Result<HashMap<ClientId, i64>, StoreError> {
    let sql = sql!(
        "select client_id, cast(sum(requests) as bigint) from usage_minute
          where company_id = $1 and minute >= $2 group by client_id"
    );
    let rows = tx.all(sql, args![company, from], |row| Ok((row.id(0)?, row.int(1)?))).await?;
    Ok(rows.into_iter().collect())
}

/// Forgets up to `limit` minutes of all companies before `before`; returns how many.
pub async fn forget(tx: &Tx, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    let sql = sql!(
        "delete from usage_minute where (company_id, minute, client_id) in
            (select company_id, minute, client_id from usage_minute where minute < $1 order by minute limit $2)"
    );
    tx.run(sql, args![before, limit]).await
}
