//! Access tokens: JWTs of RFC 9068 signed with Ed25519, verified without the database, and what is remembered
//! of those that were.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use orquiva_core::id::{ClientId, CompanyId, KeyId, Mint, TokenId};
use orquiva_core::seal::MasterKey;
use orquiva_core::{Chance, Clock, Plan, Scopes, Secret, Timestamp};
use orquiva_store::authority::{self, SigningKey};
use orquiva_store::client::Client;
use orquiva_store::{Store, StoreError, client, company};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::limits::{Limits, Window};

/// A token lives exactly one hour, in seconds.
pub(crate) const LIFETIME: i64 = 3600;

/// A signing key is followed by a new one after 30 days, in milliseconds.
const KEY_AGE: i64 = 30 * 86_400_000;

/// A new key is published this long before it signs, so that whoever keeps the key set knows it in time.
const KEY_ANNOUNCED: i64 = 10 * 60_000;

/// How often this node asks whether a company, a client or a key has changed.
const WATCH: Duration = Duration::from_millis(250);

/// Tokens, and clients, that are remembered at most; past it all are forgotten and checked anew.
const MOST_REMEMBERED: usize = 100_000;

/// What a token says (RFC 9068 §2.2).
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    company: String,
    jti: String,
    scope: String,
    iat: i64,
    exp: i64,
}

/// What a live token allows.
pub(crate) struct Grant {
    pub(crate) company: CompanyId,
    pub(crate) client: ClientId,
    pub(crate) scopes: Scopes,
    pub(crate) plan: Plan,
    pub(crate) window: Arc<Window>,
    expires: Timestamp,
    epoch: i64,
}

/// A client with its company's plan, as it was at an epoch.
pub(crate) struct Known {
    pub(crate) client: Client,
    plan: Plan,
    epoch: i64,
}

/// A key that checks tokens; the newest ones sign too.
struct Key {
    id: KeyId,
    public: Vec<u8>,
    created_at: Timestamp,
    checks: DecodingKey,
    signs: EncodingKey,
}

/// Issues and checks access tokens.
pub struct Tokens {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    mint: Arc<Mint>,
    master: Arc<MasterKey>,
    issuer: String,
    /// The version of companies, clients and keys that what is remembered belongs to.
    epoch: AtomicI64,
    keys: RwLock<Arc<Vec<Key>>>,
    grants: Mutex<HashMap<[u8; 32], Arc<Grant>>>,
    clients: Mutex<HashMap<ClientId, Arc<Known>>>,
    limits: Limits,
}

impl Tokens {
    /// Loads the signing keys, and makes the first one.
    pub async fn open(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        mint: Arc<Mint>,
        master: Arc<MasterKey>,
        issuer: String,
    ) -> Result<Self, StoreError> {
        let tokens = Self {
            store,
            clock,
            chance,
            mint,
            master,
            issuer,
            epoch: AtomicI64::new(0),
            keys: RwLock::default(),
            grants: Mutex::default(),
            clients: Mutex::default(),
            limits: Limits::default(),
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
        let version = authority::version(&self.store.read().await?).await?;
        if version != self.epoch.load(Ordering::SeqCst) {
            self.load_keys().await?;
            self.epoch.store(version, Ordering::SeqCst);
            self.grants.lock().unwrap_or_else(PoisonError::into_inner).clear();
            self.clients.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        self.rotate_when_due().await
    }

    async fn load_keys(&self) -> Result<(), StoreError> {
        let stored = authority::keys(&self.store.read().await?).await?;
        let keys: Result<Vec<_>, _> = stored.iter().map(|key| self.open_key(key)).collect();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys?);
        Ok(())
    }

    fn open_key(&self, stored: &SigningKey) -> Result<Key, StoreError> {
        let document = self.master.open(&stored.sealed, &key_place(stored.id)).map_err(StoreError::broken)?;
        Ok(Key {
            id: stored.id,
            public: stored.public.clone(),
            created_at: stored.created_at,
            checks: DecodingKey::from_ed_der(&stored.public),
            signs: EncodingKey::from_ed_der(&document),
        })
    }

    /// Follows an old key with a new one, and drops those whose last token has ended.
    async fn rotate_when_due(&self) -> Result<(), StoreError> {
        let (keys, now) = (self.keys(), self.clock.now());
        if keys.first().is_none_or(|newest| now.since(newest.created_at) >= KEY_AGE) {
            return self.rotate().await;
        }
        let ended = KEY_ANNOUNCED + (LIFETIME + 60) * 1000;
        let dead: Vec<_> = keys
            .windows(2)
            .filter(|pair| now.since(pair[0].created_at) >= ended)
            .map(|pair| pair[1].id)
            .collect();
        if dead.is_empty() {
            return Ok(());
        }
        self.store
            .write::<_, StoreError, _, _>(
                None,
                move |tx| async move { authority::remove_keys(&tx, &dead).await },
            )
            .await?;
        self.load_keys().await
    }

    /// Makes a new signing key. It signs once it has been published long enough.
    pub async fn rotate(&self) -> Result<(), StoreError> {
        let mut seed = [0; 32];
        self.chance.fill(&mut seed);
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(StoreError::broken)?;
        let document = pair.to_pkcs8().map_err(StoreError::broken)?;
        let id: KeyId = self.mint.next();
        let key = SigningKey {
            id,
            sealed: self.master.seal(document.as_ref(), &key_place(id), self.chance.as_ref()),
            public: pair.public_key().as_ref().to_vec(),
            created_at: self.clock.now(),
        };
        self.store
            .write::<_, StoreError, _, _>(None, move |tx| async move { authority::add_key(&tx, &key).await })
            .await?;
        self.load_keys().await
    }

    fn keys(&self) -> Arc<Vec<Key>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The public halves (RFC 7517, RFC 8037).
    pub(crate) fn key_set(&self) -> Value {
        let keys = self.keys();
        let jwk = |key: &Key| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                "kid": key.id, "x": URL_SAFE_NO_PAD.encode(&key.public),
            })
        };
        json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() })
    }

    /// Issues a token to `client`. Nothing is written.
    pub(crate) fn issue(
        &self,
        client: &Client,
        scopes: Scopes,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let (keys, now) = (self.keys(), self.clock.now());
        let key = keys
            .iter()
            .find(|key| now.since(key.created_at) >= KEY_ANNOUNCED)
            .or(keys.last())
            .ok_or(jsonwebtoken::errors::ErrorKind::InvalidKeyFormat)?;
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
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(key.id.to_string());
        jsonwebtoken::encode(&header, &claims, &key.signs)
    }

    /// The client whose id and secret these are. A refusal is never decided from memory: an unknown client and a
    /// wrong secret take one reading of the database each.
    pub(crate) async fn authenticate(
        &self,
        id: &str,
        secret: &Secret,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        let id = ClientId::parse(id);
        let remembered = id.and_then(|id| self.remembered(id));
        if let Some(known) = remembered.filter(|known| self.is_secret_of(&known.client, secret)) {
            return Ok(Some(known));
        }
        let known = self.read_client(id.unwrap_or_else(|| self.mint.next())).await?;
        let matches = match &known {
            Some(known) => self.is_secret_of(&known.client, secret),
            None => self.master.matches(secret, &[0; 32]),
        };
        Ok(known.filter(|known| matches && known.client.revoked_at.is_none()))
    }

    fn is_secret_of(&self, client: &Client, secret: &Secret) -> bool {
        let now = self.clock.now();
        let previous = client.previous.as_ref().filter(|(_, until)| now < *until);
        let previous = previous.is_some_and(|(hash, _)| self.master.matches(secret, hash));
        (self.master.matches(secret, &client.secret_hash) | previous) && client.revoked_at.is_none()
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
        let plan = company::get(&tx, client.company).await?.plan;
        let known = Arc::new(Known { client, plan, epoch });
        remember(&self.clients, id, known.clone());
        Ok(Some(known))
    }

    /// What `token` allows, if it is one of ours, of this moment, and its client still stands.
    pub(crate) async fn check(&self, token: &str) -> Result<Option<Arc<Grant>>, StoreError> {
        let now = self.clock.now();
        let epoch = self.epoch.load(Ordering::SeqCst);
        let mut name = [0; 32];
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let remembered = self.grants.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(grant) = remembered.filter(|grant| grant.epoch == epoch) {
            return Ok((now < grant.expires).then_some(grant));
        }
        let Some(claims) = self.verify(token, now) else { return Ok(None) };
        let Some(id) = ClientId::parse(&claims.client_id) else { return Ok(None) };
        let known = match self.remembered(id) {
            Some(known) => Some(known),
            None => self.read_client(id).await?,
        };
        let Some(known) = known.filter(|known| known.client.revoked_at.is_none()) else { return Ok(None) };
        let Ok(scopes) = Scopes::parse(&claims.scope) else { return Ok(None) };
        let grant = Arc::new(Grant {
            company: known.client.company,
            client: id,
            scopes: scopes.both(known.client.scopes),
            plan: known.plan,
            window: self.limits.window(known.client.company, self.clock.elapsed()),
            expires: Timestamp::from_millis(claims.exp * 1000),
            epoch: known.epoch,
        });
        remember(&self.grants, name, grant.clone());
        Ok(Some(grant))
    }

    /// Checks everything that RFC 9068 §4 demands: type, algorithm, signature, issuer, audience, time.
    fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let typ = header.typ.as_deref()?;
        let kid = KeyId::parse(header.kid.as_deref()?)?;
        if !(typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")) {
            return None;
        }
        let keys = self.keys();
        let key = keys.iter().find(|key| key.id == kid)?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[&self.issuer]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_exp = false; // by our own clock, below
        let claims = jsonwebtoken::decode::<Claims>(token, &key.checks, &rules).ok()?.claims;
        (now.seconds() < claims.exp && claims.sub == claims.client_id).then_some(claims)
    }
}

/// Remembers `value`; when there is too much to remember, everything is forgotten, and checked again when asked for.
fn remember<N: std::hash::Hash + Eq, V>(memory: &Mutex<HashMap<N, Arc<V>>>, name: N, value: Arc<V>) {
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    if memory.len() >= MOST_REMEMBERED {
        memory.clear();
    }
    memory.insert(name, value);
}

/// The place for which a signing key is sealed.
fn key_place(id: KeyId) -> String {
    format!("signing_key/{id}")
}
