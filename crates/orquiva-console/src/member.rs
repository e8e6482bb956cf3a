//! Whoever is signed in: their session, the company that they look at, and what they may do there.

use axum::extract::FromRequestParts;
use http::Method;
use http::request::Parts;
use orquiva_core::event::Actor;
use orquiva_core::id::{CompanyId, SessionId};
use orquiva_core::{Company, Right, Role, Secret, Timestamp};
use orquiva_store::audit::Entry;
use orquiva_store::session::{self, Session};
use orquiva_store::user::{self, User};
use orquiva_store::{StoreError, Tx, company, member};
use orquiva_web::{Insider, Note};
use serde_json::Value;

use crate::console::Console;
use crate::cookie;
use crate::guest::Guest;
use crate::stop::Stop;

/// How long a session lives without being used, in milliseconds (ASVS 7.3.1).
pub(crate) const IDLE: i64 = 12 * 3_600_000;

/// How long a session lives at most (ASVS 7.3.2).
pub(crate) const LONGEST: i64 = 7 * 24 * 3_600_000;

/// How long a proof of who someone is holds before a secret is shown (ASVS 7.5.3).
const CONFIRMED: i64 = 15 * 60_000;

/// How exactly it is known when a session was last used.
const SEEN: i64 = 60_000;

/// Whoever is signed in, whatever company they look at.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) guest: Guest,
    pub(crate) session: Session,
    pub(crate) user: User,
}

impl FromRequestParts<Console> for SignedIn {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Stop> {
        let mut guest = parts.extensions.get::<Guest>().cloned().unwrap_or_else(|| Guest::of(console, parts));
        let next = if parts.method == Method::GET { guest.path.clone() } else { String::new() };
        let token =
            cookie::read(console, &parts.headers, cookie::SESSION).ok_or(Stop::SignIn(next.clone()))?;
        let (now, hash) = (console.clock.now(), token_hash(console, token));
        let tx = console.store.read().await?;
        let found = session::find(&tx, &hash).await?;
        let lives = |one: &Session| one.expires_at > now && one.seen_at.plus(IDLE) > now;
        let session = found.filter(lives).ok_or(Stop::SignIn(next))?;
        let user = user::get(&tx, session.user).await?;
        drop(tx);
        if now.since(session.seen_at) >= SEEN {
            let id = session.id;
            let seen = move |tx| async move { session::seen(&tx, id, now).await };
            console.store.write::<_, StoreError, _, _>(None, seen).await?;
        }
        guest.language = user.language.unwrap_or(guest.language);
        Ok(Self { guest, session, user })
    }
}

impl SignedIn {
    /// Whether they proved who they are a short while ago.
    pub(crate) fn is_confirmed(&self, now: Timestamp) -> bool {
        is_recent(&self.session, now)
    }

    /// Refuses who has not proved who they are a short while ago, and brings them to `next` when they have.
    pub(crate) fn confirmed(&self, console: &Console, next: &str) -> Result<(), Stop> {
        confirmed(&self.session, console, next)
    }
}

/// Whoever is signed in and looks at a company that they belong to.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) guest: Guest,
    pub(crate) session: Session,
    pub(crate) user: User,
    pub(crate) company: Company,
    pub(crate) role: Role,
}

impl FromRequestParts<Console> for Member {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Stop> {
        let SignedIn { mut guest, session, user } = SignedIn::from_request_parts(parts, console).await?;
        let id = session.company.ok_or(Stop::Company)?;
        let tx = console.store.read().await?;
        let role = member::role(&tx, id, user.id).await?.ok_or(Stop::Company)?;
        let company = company::get(&tx, id).await?;
        if user.language.is_none() && !guest.chose_language {
            guest.language = company::language(&tx, id).await?.unwrap_or(guest.language);
        }
        match company.suspended_at {
            Some(_) => Err(Stop::Suspended),
            None => Ok(Self { guest, session, user, company, role }),
        }
    }
}

/// Something that is done, as the audit will tell it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Act {
    /// What: `client.created`.
    pub(crate) action: &'static str,
    /// To what, by id; empty if the API's answer tells it.
    pub(crate) target: String,
    /// What was there.
    pub(crate) before: Option<Value>,
    /// What is there now; an answer of the API's tells it by itself.
    pub(crate) after: Option<Value>,
}

impl Act {
    /// Something that is done to `target`.
    pub(crate) fn new(action: &'static str, target: impl ToString) -> Self {
        Self { action, target: target.to_string(), ..Self::default() }
    }

    /// Something whose target only the API's answer tells.
    pub(crate) fn creating(action: &'static str) -> Self {
        Self { action, ..Self::default() }
    }

    /// With what was there before.
    pub(crate) fn from(self, before: Value) -> Self {
        Self { before: Some(before), ..self }
    }

    /// With what is there now.
    pub(crate) fn to(self, after: Value) -> Self {
        Self { after: Some(after), ..self }
    }
}

impl Member {
    /// Refuses who does not have `right`.
    pub(crate) fn must(&self, right: Right) -> Result<(), Stop> {
        match self.role.may(right) {
            true => Ok(()),
            false => Err(Stop::Forbidden),
        }
    }

    /// Whether they have `right`.
    pub(crate) fn may(&self, right: Right) -> bool {
        self.role.may(right)
    }

    /// Refuses who has not proved who they are a short while ago, and brings them to `next` when they have.
    pub(crate) fn confirmed(&self, console: &Console, next: &str) -> Result<(), Stop> {
        confirmed(&self.session, console, next)
    }

    /// As whom the API is asked, to read.
    pub(crate) fn reads(&self) -> Insider {
        let Self { company, user, role, .. } = self;
        let actor = Actor::User { id: user.id };
        Insider { company: company.id, actor, scopes: role.scopes(), note: None }
    }

    /// As whom the API is asked to do something that the audit tells.
    pub(crate) fn does(&self, act: Act) -> Insider {
        let Act { action, target, before, after: _ } = act;
        let note = Note {
            actor_name: self.user.name.clone(),
            address: self.guest.address.map(|ip| ip.to_string()),
            action: action.to_owned(),
            target,
            before,
        };
        Insider { note: Some(note), ..self.reads() }
    }

    /// What the audit is told of something that the API does not have.
    pub(crate) fn entry(&self, console: &Console, act: Act) -> Entry {
        let SignedIn { guest, session: _, user } = &self.signed_in();
        entry(console, guest, user, act)
    }

    /// Without the company.
    pub(crate) fn signed_in(&self) -> SignedIn {
        SignedIn { guest: self.guest.clone(), session: self.session.clone(), user: self.user.clone() }
    }
}

/// What the audit is told of something that `user` does.
pub(crate) fn entry(console: &Console, guest: &Guest, user: &User, act: Act) -> Entry {
    let Act { action, target, before, after } = act;
    let actor = Actor::User { id: user.id };
    Entry {
        id: console.mint.next(),
        at: console.clock.now(),
        actor_type: actor.kind(),
        actor_id: actor.id(),
        actor_name: user.name.clone(),
        address: guest.address.map(|ip| ip.to_string()),
        action: action.to_owned(),
        target,
        before: before.map(|value| value.to_string()),
        after: after.map(|value| value.to_string()),
    }
}

impl Console {
    /// Changes something that the API does not have, in one transaction with its entry in the audit.
    pub(crate) async fn change<F, R, T>(&self, member: &Member, act: Act, verb: F) -> Result<T, StoreError>
    where
        F: FnOnce(Tx) -> R + Clone + Send + 'static,
        R: Future<Output = Result<T, StoreError>> + Send,
        T: Send + 'static,
    {
        let company: CompanyId = member.company.id;
        let entry = member.entry(self, act);
        self.store
            .write::<_, StoreError, _, _>(company, move |tx: Tx| async move {
                let done = verb(tx.clone()).await?;
                orquiva_store::audit::add(&tx, company, &entry).await?;
                Ok(done)
            })
            .await
    }
}

fn is_recent(session: &Session, now: Timestamp) -> bool {
    now.since(session.confirmed_at) < CONFIRMED
}

fn confirmed(session: &Session, console: &Console, next: &str) -> Result<(), Stop> {
    match is_recent(session, console.clock.now()) {
        true => Ok(()),
        false => Err(Stop::Confirm(next.to_owned())),
    }
}

/// The keyed hash under which a session's token is kept.
pub(crate) fn token_hash(console: &Console, token: &str) -> Vec<u8> {
    console.key.hash(&Secret::new(format!("session/{token}")))
}

/// Signs `user` in on this browser as the session `id`, of which there can be one; the answer is the cookie that it keeps.
pub(crate) async fn sign_in(
    console: &Console,
    guest: &Guest,
    user: &User,
    company: Option<CompanyId>,
    id: SessionId,
) -> Result<(http::HeaderName, http::HeaderValue), StoreError> {
    let token = crate::guest::random(console.chance.as_ref());
    let (now, hash) = (console.clock.now(), token_hash(console, &token));
    let new = Session {
        id,
        user: user.id,
        company,
        address: guest.address.map(|ip| ip.to_string()),
        agent: guest.agent.clone(),
        created_at: now,
        seen_at: now,
        confirmed_at: now,
        expires_at: now.plus(LONGEST),
    };
    let told = match company {
        Some(company) => Some((company, entry(console, guest, user, Act::new("session.created", new.id)))),
        None => None,
    };
    let signed_in = move |tx: orquiva_store::Tx| async move {
        session::forget(&tx, now, now.plus(-IDLE)).await?;
        session::create(&tx, &new, &hash).await?;
        user::signed_in(&tx, new.user, now).await?;
        match told {
            Some((company, entry)) => orquiva_store::audit::add(&tx, company, &entry).await,
            None => Ok(()),
        }
    };
    console.store.write::<_, StoreError, _, _>(None, signed_in).await?;
    Ok(cookie::set(console, cookie::SESSION, &token, Some(LONGEST / 1000)))
}
