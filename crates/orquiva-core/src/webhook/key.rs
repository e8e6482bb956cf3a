//! The Ed25519 key of an endpoint, for receivers that check a signature without holding a secret (`v1a` of Standard
//! Webhooks). Each endpoint has a key of its own, so nobody can have events of theirs signed for your receiver.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::Chance;
use crate::jws;

/// A key pair.
pub struct SigningKey(Ed25519KeyPair);

/// A seed makes no key.
#[derive(Debug, thiserror::Error)]
#[error("a seed of Ed25519 has 32 bytes")]
pub struct Unusable;

impl SigningKey {
    /// A new seed.
    pub fn seed(chance: &dyn Chance) -> Zeroizing<Vec<u8>> {
        let mut seed = Zeroizing::new(vec![0; 32]);
        chance.fill(&mut seed);
        seed
    }

    /// The pair that a seed makes.
    pub fn from_seed(seed: &[u8]) -> Result<Self, Unusable> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| Unusable)
    }

    /// The public half as Standard Webhooks writes it: `whpk_` and base64.
    pub fn public(&self) -> String {
        format!("whpk_{}", STANDARD.encode(self.0.public_key()))
    }

    /// The signature of `message` in base64.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.0.sign(message))
    }
}

/// A public half as a JSON Web Key (RFC 8037), named by its thumbprint (RFC 7638).
pub fn jwk(public: &str) -> Option<Value> {
    let bytes = STANDARD.decode(public.strip_prefix("whpk_")?).ok()?;
    let mut jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": URL_SAFE_NO_PAD.encode(bytes),
    });
    jwk["kid"] = json!(jws::PublicKey::parse(&jwk)?.thumbprint());
    Some(jwk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    #[test]
    fn the_public_half_checks_what_was_signed() {
        let key = SigningKey::from_seed(&[7; 32]).expect("32 bytes");
        let public = key.public();
        let bytes = STANDARD.decode(public.strip_prefix("whpk_").expect("its prefix")).expect("base64");
        let signature = STANDARD.decode(key.sign(b"id.1.body")).expect("base64");
        let verifier = UnparsedPublicKey::new(&ED25519, &bytes);
        assert!(verifier.verify(b"id.1.body", &signature).is_ok());
        assert!(verifier.verify(b"id.1.bodY", &signature).is_err());
        let jwk = jwk(&public).expect("a key");
        assert_eq!(jwk["x"], json!(URL_SAFE_NO_PAD.encode(&bytes)));
        assert!(SigningKey::from_seed(b"short").is_err());
    }
}
