//! `orquiva admin …`: who runs a company in the console.

use anyhow::bail;
use clap::Subcommand;
use orquiva_core::employee::Email;
use orquiva_core::id::CompanyId;
use orquiva_core::{Plan, Role, Secret};
use orquiva_people::invitation;
use orquiva_store::invitation::Invitation;
use orquiva_store::{StoreError, Tx, audit, company};
use serde_json::json;

use super::{PlanName, answer, company_id_of, create_company, entry, named};
use crate::wiring::Base;

/// `orquiva admin …`
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Invite an owner to a company's console: a new company's first one, or one more. The link is shown this once
    Create {
        /// The address by which they will sign in
        #[arg(long)]
        email: String,
        /// Whose owner: cmp_…
        #[arg(long, required_unless_present = "company_name")]
        company: Option<String>,
        /// The name of a company that is created for them
        #[arg(long, conflicts_with = "company")]
        company_name: Option<String>,
        /// What the new company pays for
        #[arg(long, default_value = "free", requires = "company_name")]
        plan: PlanName,
        /// Where a browser reaches the server
        #[arg(long, env = "ORQUIVA_PUBLIC_URL", default_value = "http://127.0.0.1:8080")]
        public_url: String,
    },
}

/// Invites an owner; returns the invitation and the token of its link, which is known to nobody else.
pub async fn invite_owner(base: &Base, id: CompanyId, email: &str) -> anyhow::Result<(Invitation, Secret)> {
    let Some(email) = Email::parse(email) else {
        bail!("`{email}` is no e-mail address such as ana@company.com");
    };
    let (now, host) = (base.clock.now(), ("operator", "operator"));
    let new = invitation::new(base.mint.next(), id, email.as_str(), Role::Owner, host, now);
    let token = invitation::token(base.chance.as_ref());
    let hash = invitation::hash(&base.key, token.expose());
    let after = json!({ "email": new.email, "role": new.role.as_str() }).to_string();
    let told = audit::Entry { after: Some(after), ..entry(base, "invitation.created", new.id) };
    let stored = new.clone();
    let invite = move |tx: Tx| async move {
        company::get(&tx, id).await?;
        orquiva_store::invitation::create(&tx, &stored, &hash).await?;
        audit::add(&tx, id, &told).await
    };
    let done = base.store.write::<_, StoreError, _, _>(id, invite).await;
    done.map_err(|error| named(error, &format!("there is no company {id}")))?;
    Ok((new, token))
}

/// Carries out `orquiva admin …`.
pub async fn admin_command(base: &Base, command: AdminCommand, as_json: bool) -> anyhow::Result<()> {
    let AdminCommand::Create { email, company, company_name, plan, public_url } = command;
    if Email::parse(&email).is_none() {
        bail!("`{email}` is no e-mail address such as ana@company.com"); // before a company is created for it
    }
    let id = match (company, company_name) {
        (Some(company), _) => company_id_of(&company)?,
        (None, name) => create_company(base, &name.unwrap_or_default(), Plan::from(plan)).await?.id,
    };
    let (invitation, token) = invite_owner(base, id, &email).await?;
    let link = format!("{}{}", public_url.trim_end_matches('/'), invitation::path(&token));
    let told =
        json!({ "company": id, "email": invitation.email, "expiresAt": invitation.expires_at, "link": link });
    answer(as_json, &told, || {
        format!(
            "{id}  {} becomes an owner with this link, until {}:\n{link}",
            invitation.email, invitation.expires_at
        )
    });
    Ok(())
}
