//! The operator's commands: companies, who runs them, their API clients, the signing keys.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

mod admin;
mod client;

use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use orquiva_core::id::CompanyId;
use orquiva_core::{Company, Plan};
use orquiva_store::{StoreError, Tx, audit, company};
use serde_json::{Value, json};

use crate::wiring::Base;

pub use admin::{AdminCommand, admin_command, invite_owner};
pub use client::{
    ClientCommand, change_client, client_command, create_client, create_client_under, revoke_client,
    rotate_client,
};

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
    /// Let nobody in for a company: no new tokens, and within a second its live ones end; its data stays
    Suspend {
        /// Which company: cmp_…
        company: String,
    },
    /// Let a suspended company in again
    Resume {
        /// Which company: cmp_…
        company: String,
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
        suspended_at: None,
    };
    let stored = new.clone();
    let entry =
        audit::Entry { after: Some(json!(new).to_string()), ..entry(base, "company.created", new.id) };
    let write = move |tx: Tx| async move {
        company::create(&tx, &stored).await?;
        audit::add(&tx, stored.id, &entry).await
    };
    base.store.write::<_, StoreError, _, _>(new.id, write).await?;
    Ok(new)
}

/// Sets whether only `/v1/departments` creates departments.
pub async fn close_departments(base: &Base, id: CompanyId, closed: bool) -> anyhow::Result<Company> {
    let entry = entry(base, "company.updated", id);
    let updated = base.store.write::<_, StoreError, _, _>(id, move |tx: Tx| async move {
        let before = company::get(&tx, id).await?;
        company::close_departments(&tx, id, closed).await?;
        let after = Company { closed_departments: closed, ..before.clone() };
        let (before, now) = (Some(json!(before).to_string()), Some(json!(after).to_string()));
        audit::add(&tx, id, &audit::Entry { before, after: now, ..entry }).await?;
        Ok(after)
    });
    updated.await.map_err(|error| named(error, &format!("there is no company {id}")))
}

/// Suspends a company: its clients get no tokens, and within a second its live ones end. Or lets it in again.
pub async fn suspend_company(base: &Base, id: CompanyId, suspended: bool) -> anyhow::Result<()> {
    let since = suspended.then(|| base.clock.now());
    let entry = entry(base, if suspended { "company.suspended" } else { "company.resumed" }, id);
    let write = move |tx: Tx| async move {
        company::suspend(&tx, id, since).await?;
        audit::add(&tx, id, &entry).await
    };
    let done = base.store.write::<_, StoreError, _, _>(id, write).await;
    done.map_err(|error| named(error, &format!("there is no company {id}")))
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
            let line = |one: &Company| {
                let end = one.suspended_at.map(|at| format!("  suspended {at}")).unwrap_or_default();
                format!("{}  {:<10}  {}{end}", one.id, one.plan.as_str(), one.name)
            };
            answer(as_json, &json!(found), || found.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        CompanyCommand::Update { company, closed_departments } => {
            let id = company_id_of(&company)?;
            let updated = close_departments(base, id, closed_departments).await?;
            answer(as_json, &json!(updated), || {
                format!("{id}  departments are {}", if closed_departments { "closed" } else { "open" })
            });
        }
        CompanyCommand::Suspend { company } => {
            let id = company_id_of(&company)?;
            suspend_company(base, id, true).await?;
            answer(as_json, &json!({ "id": id, "suspended": true }), || format!("{id} is suspended"));
        }
        CompanyCommand::Resume { company } => {
            let id = company_id_of(&company)?;
            suspend_company(base, id, false).await?;
            answer(as_json, &json!({ "id": id, "suspended": false }), || format!("{id} may come in again"));
        }
    }
    Ok(())
}

/// What the audit of a company is told of something that the operator does.
fn entry(base: &Base, action: &str, target: impl ToString) -> audit::Entry {
    audit::Entry {
        id: base.mint.next(),
        at: base.clock.now(),
        actor_type: "system",
        actor_id: None,
        actor_name: "operator".to_owned(),
        address: None,
        action: action.to_owned(),
        target: target.to_string(),
        before: None,
        after: None,
    }
}

fn company_id_of(text: &str) -> anyhow::Result<CompanyId> {
    CompanyId::parse(text).with_context(|| format!("`{text}` is no company's id"))
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
