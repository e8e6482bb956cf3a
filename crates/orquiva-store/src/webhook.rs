//! Webhook endpoints. Their secrets are sealed; opening them is the caller's affair.

use std::collections::HashMap;

use orquiva_core::Timestamp;
use orquiva_core::event::{Pattern, patterns};
use orquiva_core::id::{CompanyId, WebhookId};
use orquiva_core::webhook::{Filter, Format, Headers, NewWebhook, Payload, Status, Webhook, WebhookUrl};

use crate::sql::sql;
use crate::{Arg, Row, StoreError, Tx, args};

/// What an endpoint signs with, sealed.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The secret.
    pub secret: Vec<u8>,
    /// The seed of its Ed25519 key, if it has one.
    pub signing_key: Option<Vec<u8>>,
}

/// All that an endpoint signs with, sealed.
#[derive(Clone, Debug)]
pub struct LiveKeys {
    /// Those of now.
    pub keys: Keys,
    /// Those before the last rotation, and until when they sign too.
    pub previous: Option<(Keys, Timestamp)>,
}

/// An Ed25519 key: its sealed seed, and its public half.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The seed.
    pub sealed: Vec<u8>,
    /// The public half.
    pub public: String,
}

/// What the router has to know of an endpoint.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The endpoint.
    pub webhook: WebhookId,
    /// What it is subscribed to.
    pub events: Vec<Pattern>,
    /// Which of those it wants.
    pub filter: Option<Filter>,
    /// Whether it takes them in order.
    pub ordered: bool,
    /// Whether it sees what is sensitive.
    pub sensitive: bool,
    /// The wait before its first try, in seconds.
    pub wait: i64,
    /// Its version.
    pub version: i64,
}

/// Creates an endpoint and its lane.
pub async fn create(
    tx: &Tx,
    company: CompanyId,
    webhook: &Webhook,
    secret: &[u8],
    pair: Option<&KeyPair>,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into webhook (company_id, id, url, events, description, filter, payload, format, headers, ordered,
            max_concurrency, rate_per_second, retry_schedule, sensitive, status, secret, signing_key, public_key, version,
            created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20)"
    );
    let mut args = args![company, webhook.id].to_vec();
    args.extend(shape(&webhook.shape)?);
    let (sealed, public) = pair.map(|pair| (&pair.sealed, &pair.public)).unzip();
    args.extend_from_slice(args![secret, sealed, public, webhook.version, webhook.created_at]);
    tx.run(sql, &args).await?;
    let lane = sql!("insert into lane (company_id, webhook_id, paused_until) values ($1, $2, 0)");
    tx.run(lane, args![company, webhook.id]).await.map(drop)
}

/// How many endpoints a company has.
pub async fn count(tx: &Tx, company: CompanyId) -> Result<i64, StoreError> {
    let sql = sql!("select count(*) from webhook where company_id = $1");
    tx.first(sql, args![company], |row| row.int(0)).await.map(Option::unwrap_or_default)
}

/// One endpoint.
pub async fn get(tx: &Tx, company: CompanyId, id: WebhookId) -> Result<Webhook, StoreError> {
    let sql = sql!(
        "select id, url, events, description, filter, payload, format, headers, ordered, max_concurrency,
            rate_per_second, retry_schedule, sensitive, public_key, status, disabled_reason, disabled_at,
            previous_secret_until, version, created_at, updated_at
           from webhook where company_id = $1 and id = $2"
    );
    tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)
}

/// One endpoint, which stays as it is until the transaction ends: nothing is put into its lane meanwhile.
pub async fn hold(tx: &Tx, company: CompanyId, id: WebhookId) -> Result<Webhook, StoreError> {
    let sql = sql!(
        sqlite "select id from webhook where company_id = $1 and id = $2",
        postgres "select id from webhook where company_id = $1 and id = $2 for update"
    );
    tx.first(sql, args![company, id], |_| Ok(())).await?.ok_or(StoreError::NotFound)?;
    get(tx, company, id).await
}

/// Up to `limit` endpoints of a company, the oldest first, after `after`.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    after: Option<WebhookId>,
    limit: i64,
) -> Result<Vec<Webhook>, StoreError> {
    let sql = sql!(
        "select id, url, events, description, filter, payload, format, headers, ordered, max_concurrency,
            rate_per_second, retry_schedule, sensitive, public_key, status, disabled_reason, disabled_at,
            previous_secret_until, version, created_at, updated_at
           from webhook where company_id = $1 and id > $2 order by id limit $3"
    );
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    tx.all(sql, args![company, after, limit], read).await
}

/// What an endpoint signs with.
pub async fn keys(tx: &Tx, company: CompanyId, id: WebhookId) -> Result<LiveKeys, StoreError> {
    let sql = sql!(
        "select secret, signing_key, previous_secret, previous_signing_key, previous_secret_until
           from webhook where company_id = $1 and id = $2"
    );
    let read = |row: &Row<'_>| {
        let keys = Keys { secret: row.bytes(0)?, signing_key: row.opt_bytes(1)? };
        let previous = match (row.opt_bytes(2)?, row.opt_time(4)?) {
            (Some(secret), Some(until)) => Some((Keys { secret, signing_key: row.opt_bytes(3)? }, until)),
            (_, _) => None,
        };
        Ok(LiveKeys { keys, previous })
    };
    tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)
}

/// The public keys with which an endpoint's deliveries may be signed at `now`.
pub async fn public_keys(tx: &Tx, id: WebhookId, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let sql =
        sql!("select public_key, previous_public_key, previous_secret_until from webhook where id = $1");
    let read = |row: &Row<'_>| {
        let overlap = row.opt_time(2)?.is_some_and(|until| now < until);
        Ok(row.opt_text(0)?.into_iter().chain(row.opt_text(1)?.filter(|_| overlap)).collect())
    };
    tx.first(sql, args![id], read).await?.ok_or(StoreError::NotFound)
}

/// The endpoints of these companies that are not disabled, by company and id. They stay as they are until the transaction
/// ends, so that none is changed or removed while something is put into its lane.
pub async fn subscriptions(
    tx: &Tx,
    companies: &[CompanyId],
) -> Result<HashMap<CompanyId, Vec<Subscription>>, StoreError> {
    let sql = sql!(
        sqlite
        "select company_id, id, events, filter, ordered, sensitive, retry_schedule, version from webhook
          where company_id = $1 and status <> 'disabled' order by id",
        postgres
        "select webhook.company_id, id, events, filter, ordered, sensitive, retry_schedule, version
           from unnest($1::text[]) as each (company_id) join webhook on webhook.company_id = each.company_id
          where status <> 'disabled' order by webhook.company_id, id for share of webhook"
    );
    let read = |row: &Row<'_>| {
        let schedule = row.opt_text(6)?.map(|text| waits(&text)).transpose()?;
        let subscription = Subscription {
            webhook: row.id(1)?,
            events: patterns(&row.text(2)?),
            filter: row.opt_text(3)?.and_then(|text| Filter::stored(&text)),
            ordered: row.int(4)? != 0,
            sensitive: row.int(5)? != 0,
            wait: schedule.and_then(|waits| waits.first().copied()).unwrap_or_default(),
            version: row.int(7)?,
        };
        Ok((row.id(0)?, subscription))
    };
    let rows: Vec<_> = companies.iter().map(|company| args![*company].to_vec()).collect();
    let mut all: HashMap<CompanyId, Vec<Subscription>> = HashMap::new();
    for (company, subscription) in tx.for_all(sql, &rows, read).await? {
        all.entry(company).or_default().push(subscription);
    }
    Ok(all)
}

/// Stores what an endpoint has become.
pub async fn update(tx: &Tx, company: CompanyId, webhook: &Webhook) -> Result<(), StoreError> {
    let sql = sql!(
        "update webhook set url = $3, events = $4, description = $5, filter = $6, payload = $7, format = $8,
            headers = $9, ordered = $10, max_concurrency = $11, rate_per_second = $12, retry_schedule = $13,
            sensitive = $14, status = $15, disabled_reason = $16, disabled_at = $17, version = $18, updated_at = $19
          where company_id = $1 and id = $2"
    );
    let mut args = args![company, webhook.id].to_vec();
    args.extend(shape(&webhook.shape)?);
    let Webhook { disabled_reason, disabled_at, version, updated_at, .. } = webhook;
    args.extend_from_slice(args![disabled_reason, *disabled_at, *version, *updated_at]);
    tx.run(sql, &args).await.map(drop)
}

/// Gives an endpoint an Ed25519 key, or takes all away that it has.
pub async fn set_pair(
    tx: &Tx,
    company: CompanyId,
    id: WebhookId,
    pair: Option<&KeyPair>,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update webhook set signing_key = $3, public_key = $4, previous_signing_key = null, previous_public_key = null
          where company_id = $1 and id = $2"
    );
    let (sealed, public) = pair.map(|pair| (&pair.sealed, &pair.public)).unzip();
    tx.run(sql, args![company, id, sealed, public]).await.map(drop)
}

/// Puts new keys in the place of those that an endpoint has, which sign too until the time that `rotated` says.
pub async fn rotate(
    tx: &Tx,
    company: CompanyId,
    rotated: &Webhook,
    secret: &[u8],
    pair: Option<&KeyPair>,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update webhook set previous_secret = secret, previous_signing_key = signing_key,
            previous_public_key = public_key, previous_secret_until = $3, secret = $4, signing_key = $5, public_key = $6,
            version = $7, updated_at = $8
          where company_id = $1 and id = $2"
    );
    let (sealed, public) = pair.map(|pair| (&pair.sealed, &pair.public)).unzip();
    let Webhook { id, previous_secret_until, version, updated_at, .. } = rotated;
    tx.run(sql, args![company, *id, *previous_secret_until, secret, sealed, public, *version, *updated_at])
        .await
        .map(drop)
}

/// Disables an endpoint; whether it was not disabled before.
pub async fn disable(
    tx: &Tx,
    company: CompanyId,
    id: WebhookId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "update webhook set status = 'disabled', disabled_reason = $3, disabled_at = $4, version = version + 1,
            updated_at = $4
          where company_id = $1 and id = $2 and status <> 'disabled'"
    );
    Ok(tx.run(sql, args![company, id, reason, now]).await? > 0)
}

/// Removes an endpoint. Its lane, and what waits there, are the caller's affair.
pub async fn delete(tx: &Tx, company: CompanyId, id: WebhookId) -> Result<(), StoreError> {
    let sql = sql!("delete from webhook where company_id = $1 and id = $2");
    match tx.run(sql, args![company, id]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// The endpoints of a company that are paused.
pub async fn paused(tx: &Tx, company: CompanyId) -> Result<Vec<WebhookId>, StoreError> {
    let sql = sql!("select id from webhook where company_id = $1 and status = 'paused' order by id");
    tx.all(sql, args![company], |row| row.id(0)).await
}

/// The columns of what a client writes, from `url` to `status`. Whether it has a key is told by the key.
fn shape(shape: &NewWebhook) -> Result<Vec<Arg<'_>>, StoreError> {
    let json = |value: serde_json::Result<String>| value.map_err(StoreError::broken);
    let filter = shape.filter.as_ref().map(|filter| json(serde_json::to_string(filter))).transpose()?;
    let schedule =
        shape.retry_schedule.as_ref().map(|waits| json(serde_json::to_string(waits))).transpose()?;
    Ok(args![
        shape.url.as_str(),
        json(serde_json::to_string(&shape.events))?,
        &shape.description,
        filter,
        shape.payload.as_str(),
        shape.format.as_str(),
        shape.headers.to_stored(),
        i64::from(shape.ordered),
        shape.max_concurrency,
        shape.rate_per_second,
        schedule,
        i64::from(shape.sensitive),
        shape.status.as_str(),
    ]
    .to_vec())
}

fn read(row: &Row<'_>) -> Result<Webhook, StoreError> {
    let public_key = row.opt_text(13)?;
    let shape = NewWebhook {
        url: WebhookUrl::stored(row.text(1)?),
        events: patterns(&row.text(2)?),
        description: row.opt_text(3)?,
        filter: row.opt_text(4)?.and_then(|text| Filter::stored(&text)),
        payload: known(Payload::parse, row.text(5)?)?,
        format: known(Format::parse, row.text(6)?)?,
        headers: row.opt_text(7)?.map(|text| known(Headers::stored, text)).transpose()?.unwrap_or_default(),
        ordered: row.int(8)? != 0,
        max_concurrency: row.int(9)?,
        rate_per_second: row.opt_int(10)?,
        retry_schedule: row.opt_text(11)?.map(|text| waits(&text)).transpose()?,
        sensitive: row.int(12)? != 0,
        ed25519: public_key.is_some(),
        status: known(Status::parse, row.text(14)?)?,
    };
    Ok(Webhook {
        id: row.id(0)?,
        shape,
        disabled_reason: row.opt_text(15)?,
        disabled_at: row.opt_time(16)?,
        previous_secret_until: row.opt_time(17)?,
        public_key,
        version: row.int(18)?,
        created_at: row.time(19)?,
        updated_at: row.time(20)?,
    })
}

fn known<T>(parse: impl Fn(&str) -> Option<T>, text: String) -> Result<T, StoreError> {
    parse(&text).ok_or_else(|| StoreError::broken(format!("an endpoint has `{text}`")))
}

fn waits(text: &str) -> Result<Vec<i64>, StoreError> {
    serde_json::from_str(text).map_err(StoreError::broken)
}
