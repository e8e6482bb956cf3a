//! `orquiva client …`: who may ask for tokens, and on what terms.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use orquiva_core::id::{ClientId, CompanyId};
use orquiva_core::jws::KeySet;
use orquiva_core::network::{Network, Networks};
use orquiva_core::{Date, Scope, Scopes, Secret, Timestamp};
use orquiva_store::client::{self, Client, Terms};
use orquiva_store::{StoreError, Tx, audit, company};
use serde_json::{Value, json};

use super::{answer, company_id_of, entry, named};
use crate::wiring::Base;

/// `orquiva client …`
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Create an API client; its secret is shown this once
    Create {
        /// Whose client it is: cmp_…
        #[arg(long)]
        company: String,
        /// What it is for
        #[arg(long)]
        name: String,
        /// On what terms
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Change a client; what is not named stays as it is. Its live tokens follow within a second
    Update {
        /// Its client_id: cli_…
        client_id: String,
        /// What it is for
        #[arg(long)]
        name: Option<String>,
        /// On what terms
        #[command(flatten)]
        wanted: Wanted,
        /// Let it live for ever
        #[arg(long, conflicts_with = "expires_at")]
        no_expiry: bool,
        /// Let it come from everywhere
        #[arg(long, conflicts_with = "allow_ip")]
        any_ip: bool,
        /// Let it spend all of its company's budget
        #[arg(long, conflicts_with = "share")]
        no_share: bool,
        /// Forget its keys and give it a new secret
        #[arg(long, conflicts_with = "jwks")]
        use_secret: bool,
    },
    /// List the clients of a company
    List {
        /// Which company: cmp_…
        #[arg(long)]
        company: String,
    },
    /// End a client: its secrets and, within a second, its live tokens
    Revoke {
        /// Its client_id: cli_…
        client_id: String,
    },
    /// Give a client a new secret; the old one stays good for a while
    Rotate {
        /// Its client_id: cli_…
        client_id: String,
        /// Hours that the old secret stays good
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(0..=168))]
        overlap_hours: u16,
    },
}

/// What an operator may want of a client.
#[derive(Args, Debug, Default)]
pub struct Wanted {
    /// What it may do; may be given several times (default: every scope)
    #[arg(long, alias = "scopes", value_delimiter = ' ')]
    scope: Vec<String>,
    /// When it ends by itself: a day (at its start, UTC) or a moment such as 2026-12-31T18:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// From where it may come: an address or a network such as 203.0.113.0/24; may be given several times
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    allow_ip: Vec<Network>,
    /// Its share of its company's budget, in per cent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    share: Option<u8>,
    /// File with its public keys (JWK set): it signs (private_key_jwt) and has no secret any more
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Whether it has to bind its tokens to a key (RFC 9449)
    #[arg(long)]
    dpop: Option<Dpop>,
}

/// Whether a client has to bind its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dpop {
    /// It may
    Optional,
    /// It gets no others
    Required,
}

impl Wanted {
    /// Writes what is wanted into `terms`.
    fn apply(self, terms: &mut Terms) -> anyhow::Result<()> {
        let Self { scope, expires_at, allow_ip, share, jwks, dpop } = self;
        if !scope.is_empty() {
            terms.scopes = scopes(&scope)?;
        }
        if let Some(text) = expires_at {
            let at = Date::parse(&text).and_then(|day| Timestamp::parse(&format!("{day}T00:00:00Z")));
            let at = at.or_else(|| Timestamp::parse(&text));
            terms.expires_at =
                Some(at.with_context(|| {
                    format!("`{text}` is no time: write 2026-12-31 or 2026-12-31T18:00:00Z")
                })?);
        }
        if !allow_ip.is_empty() {
            terms.allowed_ips = allow_ip.into();
        }
        if let Some(file) = jwks {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            let keys = KeySet::parse(&text).with_context(|| format!("{} cannot serve", file.display()))?;
            terms.keys = Some(keys);
        }
        terms.share = share.or(terms.share);
        terms.dpop_required = dpop.map_or(terms.dpop_required, |dpop| dpop == Dpop::Required);
        Ok(())
    }
}

/// Creates an API client; the secret exists nowhere else than in the answer.
pub async fn create_client(
    base: &Base,
    company: CompanyId,
    name: &str,
    scopes: Scopes,
) -> anyhow::Result<(ClientId, Secret)> {
    create_client_under(base, company, Terms::new(name, scopes)).await
}

/// Creates an API client on these terms. The secret means nothing for a client that has keys.
pub async fn create_client_under(
    base: &Base,
    company: CompanyId,
    terms: Terms,
) -> anyhow::Result<(ClientId, Secret)> {
    let secret = Secret::for_client(base.chance.as_ref());
    let new = Client {
        company,
        id: base.mint.next(),
        terms,
        secret_hash: base.key.hash(&secret),
        previous: None,
        created_by: "operator".to_owned(),
        created_at: base.clock.now(),
        last_used_at: None,
        revoked_at: None,
    };
    let id = new.id;
    let entry = audit::Entry { after: told(&new.terms), ..entry(base, "client.created", id) };
    let created = base.store.write::<_, StoreError, _, _>(company, move |tx: Tx| async move {
        company::get(&tx, company).await?;
        client::create(&tx, &new).await?;
        audit::add(&tx, company, &entry).await
    });
    created.await.map_err(|error| named(error, &format!("there is no company {company}")))?;
    Ok((id, secret))
}

/// Changes the terms of a client.
pub async fn change_client(
    base: &Base,
    id: ClientId,
    change: impl FnOnce(&mut Terms) + Clone + Send + 'static,
) -> anyhow::Result<()> {
    let entry = entry(base, "client.updated", id);
    let changed = base.store.write::<_, StoreError, _, _>(None, move |tx: Tx| async move {
        let Client { company, mut terms, .. } = client::find(&tx, id).await?;
        let before = told(&terms);
        change(&mut terms);
        client::change(&tx, company, id, &terms).await?;
        audit::add(&tx, company, &audit::Entry { before, after: told(&terms), ..entry }).await
    });
    changed.await.map_err(|error| named(error, &format!("there is no live client {id}")))
}

/// Gives a client a new secret; the one that it had stays good for `overlap` milliseconds.
pub async fn rotate_client(base: &Base, id: ClientId, overlap: i64) -> anyhow::Result<Secret> {
    let secret = Secret::for_client(base.chance.as_ref());
    let (hash, until) = (base.key.hash(&secret), base.clock.now().plus(overlap));
    let after = Some(json!({ "previousSecretUntil": until }).to_string());
    let entry = audit::Entry { after, ..entry(base, "client.rotated", id) };
    let rotated = base.store.write::<_, StoreError, _, _>(None, move |tx: Tx| async move {
        let company = client::find(&tx, id).await?.company;
        client::rotate(&tx, company, id, &hash, until).await?;
        audit::add(&tx, company, &entry).await
    });
    rotated
        .await
        .map_err(|error| named(error, &format!("there is no live client {id} that has a secret")))?;
    Ok(secret)
}

/// Ends a client for good.
pub async fn revoke_client(base: &Base, id: ClientId) -> anyhow::Result<()> {
    let now = base.clock.now();
    let entry = entry(base, "client.revoked", id);
    let revoked = base.store.write::<_, StoreError, _, _>(None, move |tx: Tx| async move {
        let Client { company, terms, .. } = client::find(&tx, id).await?;
        client::revoke(&tx, company, id, now).await?;
        audit::add(&tx, company, &audit::Entry { before: told(&terms), ..entry }).await
    });
    revoked.await.map_err(|error| named(error, &format!("there is no client {id}")))
}

/// Carries out `orquiva client …`.
pub async fn client_command(base: &Base, command: ClientCommand, as_json: bool) -> anyhow::Result<()> {
    match command {
        ClientCommand::Create { company, name, wanted } => {
            let company = company_id_of(&company)?;
            let mut terms = Terms::new(&name, Scopes::all());
            wanted.apply(&mut terms)?;
            let signs = terms.keys.is_some();
            let (id, secret) = create_client_under(base, company, terms).await?;
            match signs {
                true => answer(as_json, &json!({ "client_id": id }), || format!("client_id      {id}")),
                false => show_secret(as_json, id, &secret),
            }
        }
        ClientCommand::Update { client_id, name, wanted, no_expiry, any_ip, no_share, use_secret } => {
            let id = client_id_of(&client_id)?;
            let known = client::find(&base.store.read().await?, id).await;
            let mut terms = known.map_err(|error| named(error, &format!("there is no client {id}")))?.terms;
            wanted.apply(&mut terms)?;
            terms.name = name.unwrap_or(terms.name);
            terms.expires_at = terms.expires_at.filter(|_| !no_expiry);
            terms.share = terms.share.filter(|_| !no_share);
            terms.keys = terms.keys.filter(|_| !use_secret);
            if any_ip {
                terms.allowed_ips = Networks::default();
            }
            change_client(base, id, move |stored| *stored = terms).await?;
            match use_secret {
                true => show_secret(as_json, id, &rotate_client(base, id, 0).await?),
                false => answer(as_json, &json!({ "client_id": id }), || format!("{id} is changed")),
            }
        }
        ClientCommand::List { company } => {
            let found = client::list(&base.store.read().await?, company_id_of(&company)?).await?;
            let shown: Vec<Value> = found.iter().map(show).collect();
            answer(as_json, &json!(shown), || found.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        ClientCommand::Revoke { client_id } => {
            let id = client_id_of(&client_id)?;
            revoke_client(base, id).await?;
            answer(as_json, &json!({ "client_id": id, "revoked": true }), || format!("{id} is revoked"));
        }
        ClientCommand::Rotate { client_id, overlap_hours } => {
            let id = client_id_of(&client_id)?;
            let secret = rotate_client(base, id, i64::from(overlap_hours) * 3_600_000).await?;
            show_secret(as_json, id, &secret);
        }
    }
    Ok(())
}

/// What the audit tells of a client's terms.
fn told(terms: &Terms) -> Option<String> {
    let told = json!({
        "name": terms.name, "scopes": terms.scopes, "expiresAt": terms.expires_at, "allowedIps": terms.allowed_ips,
        "share": terms.share, "dpopRequired": terms.dpop_required,
        "keys": terms.keys.as_ref().map(KeySet::thumbprints).unwrap_or_default(),
    });
    Some(told.to_string())
}

fn client_id_of(text: &str) -> anyhow::Result<ClientId> {
    ClientId::parse(text).with_context(|| format!("`{text}` is no client_id"))
}

fn scopes(given: &[String]) -> anyhow::Result<Scopes> {
    let all = Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
    Scopes::parse(&given.join(" "))
        .map_err(|unknown| anyhow::anyhow!("there is no scope `{unknown}`; there are: {all}"))
}

fn show(one: &Client) -> Value {
    let Terms { name, scopes, expires_at, allowed_ips, share, keys, dpop_required } = &one.terms;
    json!({
        "client_id": one.id, "companyId": one.company, "name": name, "scopes": scopes,
        "authentication": if keys.is_some() { "private_key_jwt" } else { "client_secret" },
        "keys": keys.as_ref().map(KeySet::thumbprints).unwrap_or_default(),
        "dpopRequired": dpop_required, "allowedIps": allowed_ips, "share": share, "expiresAt": expires_at,
        "previousSecretUntil": one.previous.as_ref().map(|(_, until)| until),
        "createdBy": one.created_by, "createdAt": one.created_at, "lastUsedAt": one.last_used_at,
        "revokedAt": one.revoked_at,
    })
}

fn line(one: &Client) -> String {
    let Terms { name, scopes, expires_at, allowed_ips, share, keys, dpop_required } = &one.terms;
    let notes = [
        keys.as_ref().map(|_| "signs with its own key".to_owned()),
        dpop_required.then(|| "DPoP only".to_owned()),
        (!allowed_ips.is_empty()).then(|| format!("from {allowed_ips}")),
        share.map(|share| format!("{share} %")),
        expires_at.map(|at| format!("ends {at}")),
        one.last_used_at.map(|at| format!("last used {at}")),
        one.revoked_at.map(|at| format!("revoked {at}")),
    ];
    let notes: String = notes.into_iter().flatten().map(|note| format!("  {note}")).collect();
    format!("{}  {name:<20}  {scopes}{notes}", one.id)
}

fn show_secret(as_json: bool, id: ClientId, secret: &Secret) {
    let secret = secret.expose();
    answer(as_json, &json!({ "client_id": id, "client_secret": secret }), || {
        format!("client_id      {id}\nclient_secret  {secret}\n\nThe secret is not shown again.")
    });
}
