//! The keys that sign our tokens: published before they sign, and dropped when their last token has ended.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use orquiva_core::id::{KeyId, Mint};
use orquiva_core::seal::MasterKey;
use orquiva_core::{Chance, Clock, Timestamp};
use orquiva_store::authority::{self, SigningKey};
use orquiva_store::{Store, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A token lives exactly one hour, in seconds.
pub(crate) const LIFETIME: i64 = 3600;

/// A signing key is followed by a new one after 30 days, in milliseconds.
const KEY_AGE: i64 = 30 * 86_400_000;

/// A new key is published this long before it signs, so that whoever keeps the key set knows it in time.
const KEY_ANNOUNCED: i64 = 10 * 60_000;

/// A key that checks tokens; the newest ones sign too.
struct Key {
    id: KeyId,
    public: Vec<u8>,
    created_at: Timestamp,
    checks: DecodingKey,
    signs: EncodingKey,
}

/// The signing keys of the installation.
pub(crate) struct Keys {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) mint: Arc<Mint>,
    pub(crate) master: Arc<MasterKey>,
    pub(crate) loaded: RwLock<Loaded>,
}

/// The keys as they were read last, the newest first.
#[derive(Clone, Default)]
pub(crate) struct Loaded(Arc<Vec<Key>>);

impl Keys {
    /// Reads the keys again.
    pub(crate) async fn load(&self) -> Result<(), StoreError> {
        let stored = authority::keys(&self.store.read().await?).await?;
        let keys: Result<Vec<_>, _> = stored.iter().map(|key| self.open(key)).collect();
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Loaded(Arc::new(keys?));
        Ok(())
    }

    fn open(&self, stored: &SigningKey) -> Result<Key, StoreError> {
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
    pub(crate) async fn rotate_when_due(&self) -> Result<(), StoreError> {
        let (keys, now) = (self.loaded(), self.clock.now());
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
        self.load().await
    }

    /// Makes a new signing key. It signs once it has been published long enough.
    pub(crate) async fn rotate(&self) -> Result<(), StoreError> {
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
        self.load().await
    }

    fn loaded(&self) -> Arc<Vec<Key>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// The public halves (RFC 7517, RFC 8037).
    pub(crate) fn key_set(&self) -> Value {
        let jwk = |key: &Key| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                "kid": key.id, "x": URL_SAFE_NO_PAD.encode(&key.public),
            })
        };
        json!({ "keys": self.loaded().iter().map(jwk).collect::<Vec<_>>() })
    }

    /// Signs `claims` as a token of RFC 9068.
    pub(crate) fn sign(&self, claims: &impl Serialize, now: Timestamp) -> Result<String, Error> {
        let keys = self.loaded();
        let key = keys
            .iter()
            .find(|key| now.since(key.created_at) >= KEY_ANNOUNCED)
            .or(keys.last())
            .ok_or(ErrorKind::InvalidKeyFormat)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(key.id.to_string());
        jsonwebtoken::encode(&header, claims, &key.signs)
    }

    /// What a token claims that we signed as `issuer` and for it. RFC 9068 §4 demands all of this but the time,
    /// which is for the caller and our own clock.
    pub(crate) fn verify<C: DeserializeOwned>(&self, token: &str, issuer: &str) -> Option<C> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let typ = header.typ.as_deref()?;
        let kid = KeyId::parse(header.kid.as_deref()?)?;
        if !(typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")) {
            return None;
        }
        let keys = self.loaded();
        let key = keys.iter().find(|key| key.id == kid)?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[issuer]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_exp = false;
        Some(jsonwebtoken::decode::<C>(token, &key.checks, &rules).ok()?.claims)
    }
}

/// The place for which a signing key is sealed.
fn key_place(id: KeyId) -> String {
    format!("signing_key/{id}")
}
