//! The operator's commands: companies, their API clients, the signing keys.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use orquiva_core::id::{ClientId, CompanyId};
use orquiva_core::{Company, Plan, Scope, Scopes, Secret};
use orquiva_store::client::{self, Client};
use orquiva_store::{StoreError, company};
use serde_json::{Value, json};

use crate::wiring::Base;

/// `orquiva company …`
#[derive(Debug, Subcommand)]
pub enum CompanyCommand {
    /// Create a company
    Create {
        /// Its name
        #[arg(long)]
        name: String,
        /// What it pays for
        #[arg(long, default_value = "free")]
        plan: PlanName,
    },
    /// List every company
    List,
    /// Change a company's settings
    Update {
        /// Which company: cmp_…
        company: String,
        /// Whether only /v1/departments creates departments; otherwise a hire into a new one does as well
        #[arg(long, action = clap::ArgAction::Set)]
        closed_departments: bool,
    },
}

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
        /// What it may do; may be given several times (default: every scope)
        #[arg(long, alias = "scopes", value_delimiter = ' ')]
        scope: Vec<String>,
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

/// `orquiva key …`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a new signing key for access tokens; it signs after ten minutes, and the old one goes when its last token has ended
    Rotate,
}

/// A plan, as it is written on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PlanName {
    /// 100 requests a minute
    Free,
    /// 1,000 requests a minute
    Pro,
    /// 10,000 requests a minute
    Enterprise,
}

impl From<PlanName> for Plan {
    fn from(name: PlanName) -> Self {
        match name {
            PlanName::Free => Self::Free,
            PlanName::Pro => Self::Pro,
            PlanName::Enterprise => Self::Enterprise,
        }
    }
}

/// Creates a company.
pub async fn create_company(base: &Base, name: &str, plan: Plan) -> anyhow::Result<Company> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        bail!("a company's name has 1 to 200 characters, none of them a control character");
    }
    let new = Company {
        id: base.mint.next(),
        name: name.to_owned(),
        plan,
        closed_departments: false,
        created_at: base.clock.now(),
    };
    let stored = new.clone();
    let write = move |tx| async move { company::create(&tx, &stored).await };
    base.store.write::<_, StoreError, _, _>(new.id, write).await?;
    Ok(new)
}

/// Sets whether only `/v1/departments` creates departments.
pub async fn close_departments(base: &Base, id: CompanyId, closed: bool) -> anyhow::Result<Company> {
    let updated = base.store.write::<_, StoreError, _, _>(id, move |tx| async move {
        company::close_departments(&tx, id, closed).await?;
        company::get(&tx, id).await
    });
    updated.await.map_err(|error| named(error, &format!("there is no company {id}")))
}

/// Creates an API client; the secret exists nowhere else than in the answer.
pub async fn create_client(
    base: &Base,
    company: CompanyId,
    name: &str,
    scopes: Scopes,
) -> anyhow::Result<(ClientId, Secret)> {
    let secret = Secret::for_client(base.chance.as_ref());
    let new = Client {
        company,
        id: base.mint.next(),
        name: name.to_owned(),
        scopes,
        secret_hash: base.key.hash(&secret),
        previous: None,
        created_by: "operator".to_owned(),
        created_at: base.clock.now(),
        revoked_at: None,
    };
    let id = new.id;
    let created = base.store.write::<_, StoreError, _, _>(company, move |tx| async move {
        company::get(&tx, company).await?;
        client::create(&tx, &new).await
    });
    created.await.map_err(|error| named(error, &format!("there is no company {company}")))?;
    Ok((id, secret))
}

/// Gives a client a new secret; the one that it had stays good for `overlap` milliseconds.
pub async fn rotate_client(base: &Base, id: ClientId, overlap: i64) -> anyhow::Result<Secret> {
    let secret = Secret::for_client(base.chance.as_ref());
    let (hash, until) = (base.key.hash(&secret), base.clock.now().plus(overlap));
    let rotated = base.store.write::<_, StoreError, _, _>(None, move |tx| async move {
        let company = client::find(&tx, id).await?.company;
        client::rotate(&tx, company, id, &hash, until).await
    });
    rotated.await.map_err(|error| named(error, &format!("there is no live client {id}")))?;
    Ok(secret)
}

/// Ends a client for good.
pub async fn revoke_client(base: &Base, id: ClientId) -> anyhow::Result<()> {
    let now = base.clock.now();
    let revoked = base.store.write::<_, StoreError, _, _>(None, move |tx| async move {
        let company = client::find(&tx, id).await?.company;
        client::revoke(&tx, company, id, now).await
    });
    revoked.await.map_err(|error| named(error, &format!("there is no client {id}")))
}

/// Carries out `orquiva company …`.
pub async fn company_command(base: &Base, command: CompanyCommand, as_json: bool) -> anyhow::Result<()> {
    match command {
        CompanyCommand::Create { name, plan } => {
            let created = create_company(base, &name, plan.into()).await?;
            answer(as_json, &json!(created), || {
                format!("{}  {}  {}", created.id, created.plan.as_str(), created.name)
            });
        }
        CompanyCommand::List => {
            let found = company::list(&base.store.read().await?).await?;
            let lines =
                found.iter().map(|one| format!("{}  {:<10}  {}", one.id, one.plan.as_str(), one.name));
            answer(as_json, &json!(found), || lines.collect::<Vec<_>>().join("\n"));
        }
        CompanyCommand::Update { company, closed_departments } => {
            let id = company_id_of(&company)?;
            let updated = close_departments(base, id, closed_departments).await?;
            answer(as_json, &json!(updated), || {
                format!("{id}  departments are {}", if closed_departments { "closed" } else { "open" })
            });
        }
    }
    Ok(())
}

/// Carries out `orquiva client …`.
pub async fn client_command(base: &Base, command: ClientCommand, as_json: bool) -> anyhow::Result<()> {
    match command {
        ClientCommand::Create { company, name, scope } => {
            let company = company_id_of(&company)?;
            let (id, secret) = create_client(base, company, &name, scopes(&scope)?).await?;
            show_secret(as_json, id, &secret);
        }
        ClientCommand::List { company } => {
            let company = company_id_of(&company)?;
            let found = client::list(&base.store.read().await?, company).await?;
            let shown: Vec<Value> = found.iter().map(show).collect();
            let line = |one: &Client| {
                let end = one.revoked_at.map(|at| format!("  revoked {at}")).unwrap_or_default();
                format!("{}  {:<20}  {}{end}", one.id, one.name, one.scopes)
            };
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

fn company_id_of(text: &str) -> anyhow::Result<CompanyId> {
    CompanyId::parse(text).with_context(|| format!("`{text}` is no company's id"))
}

fn client_id_of(text: &str) -> anyhow::Result<ClientId> {
    ClientId::parse(text).with_context(|| format!("`{text}` is no client_id"))
}

fn scopes(given: &[String]) -> anyhow::Result<Scopes> {
    if given.is_empty() {
        return Ok(Scopes::all());
    }
    let all = Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
    Scopes::parse(&given.join(" "))
        .map_err(|unknown| anyhow::anyhow!("there is no scope `{unknown}`; there are: {all}"))
}

fn show(one: &Client) -> Value {
    json!({
        "client_id": one.id, "companyId": one.company, "name": one.name, "scopes": one.scopes,
        "createdBy": one.created_by, "createdAt": one.created_at, "revokedAt": one.revoked_at,
    })
}

fn show_secret(as_json: bool, id: ClientId, secret: &Secret) {
    let secret = secret.expose();
    answer(as_json, &json!({ "client_id": id, "client_secret": secret }), || {
        format!("client_id      {id}\nclient_secret  {secret}\n\nThe secret is not shown again.")
    });
}

fn answer(as_json: bool, json: &Value, text: impl FnOnce() -> String) {
    if as_json {
        println!("{json}");
    } else {
        println!("{}", text());
    }
}

/// Says what was not found; any other failure says it of itself.
fn named(error: StoreError, missing: &str) -> anyhow::Error {
    match error {
        StoreError::NotFound => anyhow::anyhow!("{missing}"),
        StoreError::Duplicate(_) | StoreError::Unavailable(_) | StoreError::Broken(_) => error.into(),
    }
}
