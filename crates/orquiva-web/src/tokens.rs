//! Access tokens: JWTs of RFC 9068 signed with Ed25519, verified without the database, and what is remembered
//! of those that were.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use orquiva_core::id::{ClientId, CompanyId, Mint, TokenId};
use orquiva_core::network::Networks;
use orquiva_core::seal::MasterKey;
use orquiva_core::{Chance, Clock, Plan, Scopes, Secret, Timestamp, assertion};
use orquiva_store::client::Client;
use orquiva_store::{Store, StoreError, authority, client, company, token};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::keys::Keys;
pub(crate) use crate::keys::LIFETIME;
use crate::limits::{Budget, Limits};
use crate::usage::{Meter, Usage};

/// How often this node asks whether a company, a client, a key or a token has changed.
const WATCH: Duration = Duration::from_millis(250);

/// Tokens, and clients, that are remembered at most; past it all are forgotten and checked anew.
const MOST_REMEMBERED: usize = 100_000;

/// What a token says (RFC 9068 §2.2).
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    sub: String,
    pub(crate) client_id: String,
    pub(crate) company: String,
    pub(crate) jti: String,
    pub(crate) scope: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cnf: Option<Confirmation>,
}

/// The key that a token is bound to (RFC 7800, RFC 9449 §6).
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Confirmation {
    /// The key's thumbprint.
    pub(crate) jkt: String,
}

/// What a live token allows.
pub(crate) struct Grant {
    pub(crate) company: CompanyId,
    pub(crate) client: ClientId,
    pub(crate) token: TokenId,
    pub(crate) scopes: Scopes,
    pub(crate) plan: Plan,
    pub(crate) budget: Budget,
    pub(crate) meter: Arc<Meter>,
    /// The thumbprint of the key that it is bound to.
    pub(crate) bound_to: Option<String>,
    allowed_ips: Networks,
    /// When it ends: in an hour at most, and no later than its client.
    pub(crate) expires: Timestamp,
    epoch: i64,
}

impl Grant {
    /// Whether the client may come from `ip`. Who has a list of addresses comes from a known one.
    pub(crate) fn allows(&self, ip: impl FnOnce() -> Option<IpAddr>) -> bool {
        self.allowed_ips.is_empty() || ip().is_some_and(|ip| self.allowed_ips.contain(ip))
    }
}

/// A client with its company's plan, as it was at an epoch.
pub(crate) struct Known {
    pub(crate) client: Client,
    pub(crate) meter: Arc<Meter>,
    plan: Plan,
    suspended: bool,
    epoch: i64,
}

impl Known {
    /// Whether it may come in at all: it was not revoked, has not expired, and its company is not suspended.
    fn stands(&self, now: Timestamp) -> bool {
        let expired = self.client.terms.expires_at.is_some_and(|end| end <= now);
        self.client.revoked_at.is_none() && !expired && !self.suspended
    }
}

/// By what a client shows that it is itself.
pub(crate) enum Evidence {
    /// Its secret.
    Secret(Secret),
    /// A text that it signed (RFC 7523).
    Assertion(String),
}

/// Tokens that were checked, and those that were revoked. One lock over both: a token that is revoked while it
/// is being checked is not remembered as good.
#[derive(Default)]
struct Memory {
    grants: HashMap<[u8; 32], Arc<Grant>>,
    revoked: HashSet<TokenId>,
}

/// Issues and checks access tokens.
pub struct Tokens {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<dyn Clock>,
    mint: Arc<Mint>,
    master: Arc<MasterKey>,
    issuer: String,
    /// The version of companies, clients and keys that what is remembered belongs to.
    epoch: AtomicI64,
    /// The version of the revoked tokens that are remembered.
    revocations: AtomicI64,
    keys: Keys,
    memory: Mutex<Memory>,
    clients: Mutex<HashMap<ClientId, Arc<Known>>>,
    companies: Limits<CompanyId>,
    shares: Limits<ClientId>,
    pub(crate) usage: Usage,
}

impl Tokens {
    /// Under which secrets are sealed and hashed.
    pub(crate) fn master(&self) -> &Arc<MasterKey> {
        &self.master
    }

    /// Loads the signing keys, and makes the first one.
    pub async fn open(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        mint: Arc<Mint>,
        master: Arc<MasterKey>,
        issuer: String,
    ) -> Result<Self, StoreError> {
        let keys = Keys {
            store: store.clone(),
            clock: clock.clone(),
            chance,
            mint: mint.clone(),
            master: master.clone(),
            loaded: RwLock::default(),
        };
        let tokens = Self {
            store,
            clock,
            mint,
            master,
            issuer,
            epoch: AtomicI64::new(0),
            revocations: AtomicI64::new(0),
            keys,
            memory: Mutex::default(),
            clients: Mutex::default(),
            companies: Limits::default(),
            shares: Limits::default(),
            usage: Usage::default(),
        };
        tokens.follow().await?;
        Ok(tokens)
    }

    /// Keeps following changes until `stop`: a revoked client's tokens end within a second, on every node.
    pub async fn watch(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(WATCH) => {}
            }
            if let Err(cause) = self.follow().await {
                tracing::warn!(%cause, "changes to clients cannot be seen at the moment");
            }
        }
    }

    /// Looks once whether something has changed, and makes and drops keys as their time comes.
    pub async fn follow(&self) -> Result<(), StoreError> {
        let (version, revocations) = authority::versions(&self.store.read().await?).await?;
        if revocations != self.revocations.load(Ordering::SeqCst) {
            self.load_revoked().await?;
            self.revocations.store(revocations, Ordering::SeqCst);
        }
        if version != self.epoch.load(Ordering::SeqCst) {
            self.keys.load().await?;
            self.epoch.store(version, Ordering::SeqCst);
            self.memory().grants.clear();
            self.clients.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        self.keys.rotate_when_due().await
    }

    /// A number that moves whenever a token may have ended before its time.
    pub(crate) fn changes(&self) -> i64 {
        self.epoch.load(Ordering::SeqCst) + self.revocations.load(Ordering::SeqCst)
    }

    async fn load_revoked(&self) -> Result<(), StoreError> {
        let revoked = token::revoked(&self.store.read().await?, self.clock.now()).await?;
        let mut memory = self.memory();
        memory.revoked = revoked.into_iter().collect();
        let Memory { grants, revoked } = &mut *memory;
        grants.retain(|_, grant| !revoked.contains(&grant.token));
        Ok(())
    }

    /// Makes a new signing key. It signs once it has been published long enough.
    pub async fn rotate(&self) -> Result<(), StoreError> {
        self.keys.rotate().await
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The public halves of the signing keys (RFC 7517).
    pub(crate) fn key_set(&self) -> Value {
        self.keys.key_set()
    }

    /// Issues a token to `client`, bound to the key of that thumbprint if there is one. Nothing is written.
    pub(crate) fn issue(
        &self,
        client: &Client,
        scopes: Scopes,
        bound_to: Option<String>,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = self.clock.now();
        let jti: TokenId = self.mint.next();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub: client.id.to_string(),
            client_id: client.id.to_string(),
            company: client.company.to_string(),
            jti: jti.to_string(),
            scope: scopes.to_string(),
            iat: now.seconds(),
            exp: now.seconds() + LIFETIME,
            cnf: bound_to.map(|jkt| Confirmation { jkt }),
        };
        self.keys.sign(&claims, now)
    }

    /// The client of this id, if `evidence` shows that it is itself and it may come in. A refusal of a secret is
    /// never decided from memory: an unknown client and a wrong secret take one reading of the database each.
    pub(crate) async fn authenticate(
        &self,
        id: &str,
        evidence: &Evidence,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        let id = ClientId::parse(id);
        let known = match evidence {
            Evidence::Secret(secret) => self.by_secret(id, secret).await?,
            Evidence::Assertion(text) => self.by_assertion(id, text).await?,
        };
        let now = self.clock.now();
        Ok(known.filter(|known| known.stands(now)).inspect(|known| known.meter.touch(now)))
    }

    async fn by_secret(
        &self,
        id: Option<ClientId>,
        secret: &Secret,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        let remembered = id.and_then(|id| self.remembered(id));
        if let Some(known) = remembered.filter(|known| self.is_secret_of(&known.client, secret)) {
            return Ok(Some(known));
        }
        let known = self.read_client(id.unwrap_or_else(|| self.mint.next())).await?;
        let matches = match &known {
            Some(known) => self.is_secret_of(&known.client, secret),
            None => self.master.matches(secret, &[0; 32]),
        };
        Ok(known.filter(|_| matches))
    }

    /// A client that registered keys has no secret any more.
    fn is_secret_of(&self, client: &Client, secret: &Secret) -> bool {
        let now = self.clock.now();
        let previous = client.previous.as_ref().filter(|(_, until)| now < *until);
        let previous = previous.is_some_and(|(hash, _)| self.master.matches(secret, hash));
        (self.master.matches(secret, &client.secret_hash) | previous) && client.terms.keys.is_none()
    }

    /// An assertion is good once, over all nodes: that it was spent is written down before it counts.
    async fn by_assertion(&self, id: Option<ClientId>, text: &str) -> Result<Option<Arc<Known>>, StoreError> {
        let Some(id) = id else { return Ok(None) };
        let known = match self.remembered(id) {
            Some(known) => Some(known),
            None => self.read_client(id).await?,
        };
        let now = self.clock.now();
        let Some(known) = known.filter(|known| known.stands(now)) else { return Ok(None) };
        let endpoint = format!("{}/oauth/token", self.issuer);
        let audiences = [self.issuer.as_str(), &endpoint];
        let keys = known.client.terms.keys.as_ref();
        let Some(checked) =
            keys.and_then(|keys| assertion::check(text, &id.to_string(), keys, &audiences, now))
        else {
            return Ok(None);
        };
        let company = known.client.company;
        let spend =
            move |tx| async move { token::spend(&tx, company, id, &checked.name, checked.expires).await };
        let first = self.store.write::<_, StoreError, _, _>(company, spend).await?;
        Ok(first.then_some(known))
    }

    fn remembered(&self, id: ClientId) -> Option<Arc<Known>> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.get(&id).filter(|known| known.epoch == self.epoch.load(Ordering::SeqCst)).cloned()
    }

    /// Reads a client and its company. What is remembered carries the epoch that was valid before the reading, so
    /// a change that came in between is not missed.
    async fn read_client(&self, id: ClientId) -> Result<Option<Arc<Known>>, StoreError> {
        let epoch = self.epoch.load(Ordering::SeqCst);
        let tx = self.store.read().await?;
        let client = match client::find(&tx, id).await {
            Ok(client) => client,
            Err(StoreError::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let company = company::get(&tx, client.company).await?;
        let known = Arc::new(Known {
            meter: self.usage.meter(client.company, id),
            plan: company.plan,
            suspended: company.suspended_at.is_some(),
            client,
            epoch,
        });
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut clients);
        clients.insert(id, known.clone());
        Ok(Some(known))
    }

    /// What `token` allows, if it is one of ours, of this moment, and its client still stands.
    pub(crate) async fn check(&self, token: &str) -> Result<Option<Arc<Grant>>, StoreError> {
        let now = self.clock.now();
        let epoch = self.epoch.load(Ordering::SeqCst);
        let mut name = [0; 32];
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let remembered = self.memory().grants.get(&name).cloned();
        if let Some(grant) = remembered.filter(|grant| grant.epoch == epoch) {
            return Ok((now < grant.expires).then_some(grant));
        }
        let Some(claims) = self.read(token) else { return Ok(None) };
        let Some(id) = ClientId::parse(&claims.client_id) else { return Ok(None) };
        let known = match self.remembered(id) {
            Some(known) => Some(known),
            None => self.read_client(id).await?,
        };
        let Some(known) = known.filter(|known| known.stands(now)) else { return Ok(None) };
        let Some(grant) = self.grant(claims, &known).map(Arc::new) else { return Ok(None) };
        let mut memory = self.memory();
        if memory.revoked.contains(&grant.token) {
            return Ok(None);
        }
        make_room(&mut memory.grants);
        memory.grants.insert(name, grant.clone());
        Ok(Some(grant))
    }

    fn grant(&self, claims: Claims, known: &Known) -> Option<Grant> {
        let Client { company, id, terms, .. } = &known.client;
        let scopes = Scopes::parse(&claims.scope).ok()?.both(terms.scopes);
        let expires = Timestamp::from_millis(claims.exp * 1000);
        let (quota, at) = (known.plan.per_minute(), self.clock.elapsed());
        Some(Grant {
            company: *company,
            client: *id,
            token: TokenId::parse(&claims.jti)?,
            scopes,
            plan: known.plan,
            budget: Budget {
                quota,
                pool: self.companies.window(*company, at),
                share: terms.quota(quota).map(|quota| (quota, self.shares.window(*id, at))),
            },
            meter: known.meter.clone(),
            bound_to: claims.cnf.map(|cnf| cnf.jkt),
            allowed_ips: terms.allowed_ips.clone(),
            expires: terms.expires_at.map_or(expires, |end| end.min(expires)),
            epoch: known.epoch,
        })
    }

    /// What a token says that we signed and that has not ended.
    pub(crate) fn read(&self, token: &str) -> Option<Claims> {
        let claims: Claims = self.keys.verify(token, &self.issuer)?;
        (self.clock.now().seconds() < claims.exp && claims.sub == claims.client_id).then_some(claims)
    }

    /// Ends a token of `company` before its time: here at once, on the other nodes when they look.
    pub(crate) async fn revoke(&self, company: CompanyId, claims: &Claims) -> Result<(), StoreError> {
        let Some(id) = TokenId::parse(&claims.jti) else { return Ok(()) };
        let expires = Timestamp::from_millis(claims.exp * 1000);
        let revoke = move |tx| async move { token::revoke(&tx, company, id, expires).await };
        self.store.write::<_, StoreError, _, _>(None, revoke).await?;
        let mut memory = self.memory();
        memory.revoked.insert(id);
        memory.grants.retain(|_, grant| grant.token != id);
        Ok(())
    }
}

/// When there is too much to remember, everything is forgotten, and checked again when asked for.
fn make_room<N, V>(memory: &mut HashMap<N, V>) {
    if memory.len() >= MOST_REMEMBERED {
        memory.clear();
    }
}
