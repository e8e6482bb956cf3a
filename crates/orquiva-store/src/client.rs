//! API clients (RFC 6749 §2): who may ask for tokens, and for what.

use orquiva_core::id::{ClientId, CompanyId};
use orquiva_core::jws::KeySet;
use orquiva_core::network::Networks;
use orquiva_core::{Scopes, Timestamp};

use crate::authority;
use crate::sql::sql;
use crate::{Arg, Row, StoreError, Tx, args};

/// An API client of a company.
#[derive(Clone)]
pub struct Client {
    /// Whose client it is.
    pub company: CompanyId,
    /// `client_id`.
    pub id: ClientId,
    /// What may be changed of it.
    pub terms: Terms,
    /// The keyed hash of its secret.
    pub secret_hash: Vec<u8>,
    /// The keyed hash of the secret before that, and until when it is still good.
    pub previous: Option<(Vec<u8>, Timestamp)>,
    /// Who created it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it last asked for anything, to about a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// What may be changed of a client, and what it may do.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// From where it may come; from everywhere if there is none.
    pub allowed_ips: Networks,
    /// Its share of the company's budget, in per cent.
    pub share: Option<u8>,
    /// The keys by which it proves itself (`private_key_jwt`); its secret counts only if there are none.
    pub keys: Option<KeySet>,
    /// Whether it gets tokens only that are bound to a key (RFC 9449).
    pub dpop_required: bool,
}

impl Terms {
    /// A client of that name with these scopes, and otherwise free.
    pub fn new(name: &str, scopes: Scopes) -> Self {
        Self {
            name: name.to_owned(),
            scopes,
            expires_at: None,
            allowed_ips: Networks::default(),
            share: None,
            keys: None,
            dpop_required: false,
        }
    }

    /// The requests that it may make in any 60 seconds of the company's `quota`, if it has a share: at least one.
    pub fn quota(&self, quota: u32) -> Option<u32> {
        self.share.map(|share| (quota * u32::from(share) / 100).max(1))
    }

    /// In the order of the columns.
    fn args(&self) -> [Arg<'_>; 7] {
        let Self { name, scopes, expires_at, allowed_ips, share, keys, dpop_required } = self;
        [
            name.into(),
            scopes.to_string().into(),
            (*expires_at).into(),
            allowed_ips.to_string().into(),
            share.map(i64::from).into(),
            keys.as_ref().map(KeySet::to_string).into(),
            i64::from(*dpop_required).into(),
        ]
    }
}

/// Creates a client.
pub async fn create(tx: &Tx, client: &Client) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into client (company_id, id, secret_hash, created_by, created_at,
                             name, scopes, expires_at, allowed_ips, share, keys, dpop_required)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    );
    let Client { company, id, terms, secret_hash, created_by, created_at, .. } = client;
    let own: &[Arg<'_>] = args![*company, *id, secret_hash, created_by, *created_at];
    tx.run(sql, &[own, &terms.args()].concat()).await?;
    authority::announce(tx).await
}

/// A client of whatever company: only for the token endpoint and the operator, who know nothing but its id.
pub async fn find(tx: &Tx, id: ClientId) -> Result<Client, StoreError> {
    let sql = sql!(
        "select company_id, id, secret_hash, previous_hash, previous_until, created_by, created_at, last_used_at, revoked_at,
                name, scopes, expires_at, allowed_ips, share, keys, dpop_required
           from client where id = $1"
    );
    tx.first(sql, args![id], read).await?.ok_or(StoreError::NotFound)
}

/// One client.
pub async fn get(tx: &Tx, company: CompanyId, id: ClientId) -> Result<Client, StoreError> {
    find(tx, id).await.and_then(|client| match client.company == company {
        true => Ok(client),
        false => Err(StoreError::NotFound),
    })
}

/// Every client of a company, the oldest first.
pub async fn list(tx: &Tx, company: CompanyId) -> Result<Vec<Client>, StoreError> {
    let sql = sql!(
        "select company_id, id, secret_hash, previous_hash, previous_until, created_by, created_at, last_used_at, revoked_at,
                name, scopes, expires_at, allowed_ips, share, keys, dpop_required
           from client where company_id = $1 order by id"
    );
    tx.all(sql, args![company], read).await
}

/// Changes a client that was not revoked.
pub async fn change(tx: &Tx, company: CompanyId, id: ClientId, terms: &Terms) -> Result<(), StoreError> {
    let sql = sql!(
        "update client set name = $3, scopes = $4, expires_at = $5, allowed_ips = $6, share = $7, keys = $8,
                           dpop_required = $9
          where company_id = $1 and id = $2 and revoked_at is null"
    );
    let own: &[Arg<'_>] = args![company, id];
    match tx.run(sql, &[own, &terms.args()].concat()).await? {
        0 => Err(StoreError::NotFound),
        _ => authority::announce(tx).await,
    }
}

/// Notes when clients were last used. Nobody has to forget anything for that. The rows have to be in the order
/// of their keys, as for [`crate::usage::add`].
pub async fn used(tx: &Tx, uses: &[(CompanyId, ClientId, Timestamp)]) -> Result<(), StoreError> {
    let sql = sql!(
        "update client set last_used_at = $3
          where company_id = $1 and id = $2 and (last_used_at is null or last_used_at < $3)"
    );
    let row = |(company, id, at): &(CompanyId, ClientId, Timestamp)| args![*company, *id, *at].to_vec();
    tx.run_each(sql, &uses.iter().map(row).collect::<Vec<_>>()).await
}

/// Revokes a client for good: its secrets and its live tokens end.
pub async fn revoke(tx: &Tx, company: CompanyId, id: ClientId, now: Timestamp) -> Result<(), StoreError> {
    let sql =
        sql!("update client set revoked_at = coalesce(revoked_at, $3) where company_id = $1 and id = $2");
    match tx.run(sql, args![company, id, now]).await? {
        0 => Err(StoreError::NotFound),
        _ => authority::announce(tx).await,
    }
}

/// Gives a client a new secret; the old one stays good until `overlap`.
pub async fn rotate(
    tx: &Tx,
    company: CompanyId,
    id: ClientId,
    hash: &[u8],
    overlap: Timestamp,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update client set previous_hash = secret_hash, previous_until = $4, secret_hash = $3
          where company_id = $1 and id = $2 and revoked_at is null and keys is null"
    );
    match tx.run(sql, args![company, id, hash, overlap]).await? {
        0 => Err(StoreError::NotFound),
        _ => authority::announce(tx).await,
    }
}

fn read(row: &Row<'_>) -> Result<Client, StoreError> {
    Ok(Client {
        company: row.id(0)?,
        id: row.id(1)?,
        secret_hash: row.bytes(2)?,
        previous: row.opt_bytes(3)?.zip(row.opt_time(4)?),
        created_by: row.text(5)?,
        created_at: row.time(6)?,
        last_used_at: row.opt_time(7)?,
        revoked_at: row.opt_time(8)?,
        terms: read_terms(row)?,
    })
}

fn read_terms(row: &Row<'_>) -> Result<Terms, StoreError> {
    let scopes = row.text(10)?;
    Ok(Terms {
        name: row.text(9)?,
        scopes: Scopes::parse(&scopes)
            .map_err(|unknown| StoreError::broken(format!("`{unknown}` is no scope")))?,
        expires_at: row.opt_time(11)?,
        allowed_ips: row.text(12)?.parse().map_err(StoreError::broken)?,
        share: row.opt_int(13)?.map(u8::try_from).transpose().map_err(StoreError::broken)?,
        keys: row.opt_text(14)?.as_deref().map(KeySet::parse).transpose().map_err(StoreError::broken)?,
        dpop_required: row.int(15)? != 0,
    })
}
