//! Signed texts that clients send (RFC 7515, compact form) and the public keys that check them (RFC 7517, RFC 7518
//! §6, RFC 8037): EdDSA on Ed25519, ES256 and RS256, no others. Our own tokens are not read here.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The algorithms that a client may sign with. `Ed25519` is the newer name (RFC 9864) of what most call `EdDSA`.
pub const ALGORITHMS: [&str; 4] = ["EdDSA", "Ed25519", "ES256", "RS256"];

/// Most bytes of a signed text.
const MOST: usize = 8 * 1024;

/// Most keys of a client: enough to follow one with another, few enough to try.
const MOST_KEYS: usize = 10;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// `OKP` on Ed25519: EdDSA.
    Ed25519([u8; 32]),
    /// `EC` on P-256, as its uncompressed point: ES256.
    P256([u8; 65]),
    /// `RSA` of 2048 to 4096 bits: RS256.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
}

impl PublicKey {
    /// Reads a JWK. A private or symmetric key, or one for another use, is refused.
    pub fn parse(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if ["d", "k", "p", "q"].iter().any(|secret| jwk.get(secret).is_some()) {
            return None;
        }
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let key = match (text("kty")?, text("crv")) {
            ("OKP", Some("Ed25519")) => Self::Ed25519(bytes("x")?.try_into().ok()?),
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                (x.len() == 32 && y.len() == 32).then_some(())?;
                Self::P256([&[4], x.as_slice(), &y].concat().try_into().ok()?)
            }
            ("RSA", None) => {
                let (n, e) = (unpadded(&bytes("n")?), unpadded(&bytes("e")?));
                ((256..=512).contains(&n.len()) && (1..=4).contains(&e.len())).then_some(())?;
                Self::Rsa { n, e }
            }
            _ => return None,
        };
        let signs = jwk.get("use").is_none_or(|purpose| purpose == "sig");
        let fits = jwk.get("alg").is_none_or(|alg| key.is_used_with(alg));
        (signs && fits).then_some(key)
    }

    /// Whether `alg` names the one algorithm that it is used with.
    fn is_used_with(&self, alg: &Value) -> bool {
        match self {
            Self::Ed25519(_) => alg == "EdDSA" || alg == "Ed25519",
            Self::P256(_) => alg == "ES256",
            Self::Rsa { .. } => alg == "RS256",
        }
    }

    /// Its SHA-256 thumbprint (RFC 7638), from its own bytes: two ways of writing one key have one thumbprint.
    pub fn thumbprint(&self) -> String {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let text = match self {
            Self::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64(x)),
            Self::P256(point) => {
                let (x, y) = (b64(&point[1..33]), b64(&point[33..]));
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, b64(e), b64(n)),
        };
        b64(digest(&SHA256, text.as_bytes()).as_ref())
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Ed25519(x) => UnparsedPublicKey::new(&ED25519, x).verify(message, signature),
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.is_ok()
    }
}

fn unpadded(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// The public keys of a client (RFC 7517 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    text: String,
    keys: Vec<(Option<String>, PublicKey)>,
}

/// Why a key set is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKeySet {
    /// No object with `keys`.
    #[error("it is no JWK set: {{\"keys\": [ … ]}}")]
    Malformed,
    /// None, or too many.
    #[error("a JWK set has 1 to {MOST_KEYS} keys")]
    Count,
    /// A key that cannot serve; counted from 1.
    #[error(
        "key {0} of the set is no public key for EdDSA (Ed25519), ES256 (P-256) or RS256 (2048 to 4096 bits); private keys stay with the client"
    )]
    Key(usize),
}

impl KeySet {
    /// Reads a set; every key has to be a public one of ours.
    pub fn parse(text: &str) -> Result<Self, NotAKeySet> {
        let set: Value = serde_json::from_str(text).map_err(|_| NotAKeySet::Malformed)?;
        let given = set.get("keys").and_then(Value::as_array).ok_or(NotAKeySet::Malformed)?;
        if !(1..=MOST_KEYS).contains(&given.len()) {
            return Err(NotAKeySet::Count);
        }
        let read = |(at, jwk): (usize, &Value)| {
            let kid = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
            PublicKey::parse(jwk).map(|key| (kid, key)).ok_or(NotAKeySet::Key(at + 1))
        };
        let keys = given.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { text: set.to_string(), keys })
    }

    /// The thumbprint of each key.
    pub fn thumbprints(&self) -> Vec<String> {
        self.keys.iter().map(|(_, key)| key.thumbprint()).collect()
    }

    /// Whether one of the keys signed `jws`: the one that it names, or any if it names none.
    pub fn signed(&self, jws: &Jws<'_>) -> bool {
        let named = jws.header.get("kid").and_then(Value::as_str);
        let mut fitting =
            self.keys.iter().filter(|(kid, _)| named.is_none() || kid.is_none() || kid.as_deref() == named);
        fitting.any(|(_, key)| jws.is_signed_by(key))
    }
}

impl fmt::Display for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A signed text, read but not yet believed.
pub struct Jws<'t> {
    /// What its header says.
    pub header: Map<String, Value>,
    /// What it claims.
    pub claims: Map<String, Value>,
    signed: &'t str,
    signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    /// Reads a text of three parts whose first two are JSON objects. What demands an extension is refused
    /// (RFC 7515 §4.1.11): we have none.
    pub fn parse(text: &'t str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.').filter(|_| text.len() <= MOST)?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| match serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()? {
            Value::Object(map) => Some(map),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        };
        let (header, claims) = (object(header)?, object(claims)?);
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        (!header.contains_key("crit")).then_some(Self { header, claims, signed, signature })
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// A claim that is a moment, in whole seconds (RFC 7519 §2 allows a fraction).
    pub fn seconds(&self, name: &str) -> Option<i64> {
        let number = self.claims.get(name)?;
        number
            .as_i64()
            .or_else(|| number.as_f64().filter(|seconds| seconds.abs() < 1e15).map(|seconds| seconds as i64))
    }

    /// `jti`: 1 to 255 characters.
    pub fn name(&self) -> Option<&str> {
        self.text("jti").filter(|jti| (1..=255).contains(&jti.len()) && !jti.chars().any(char::is_control))
    }

    /// Whether `key` signed it, under the key's own algorithm: what the header says cannot choose another.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.header.get("alg").is_some_and(|alg| key.is_used_with(alg))
            && key.verifies(self.signed.as_bytes(), &self.signature)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    };
    use proptest::prelude::*;
    use serde_json::json;

    /// A key pair of Ed25519: its public JWK, and what signs with it.
    pub(crate) fn ed25519(seed: u8) -> (Value, impl Fn(&[u8]) -> Vec<u8>) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes are a seed");
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()) });
        (jwk, move |message: &[u8]| pair.sign(message).as_ref().to_vec())
    }

    /// Puts a signed text together.
    pub(crate) fn compact(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(sign(signed.as_bytes())))
    }

    #[test]
    fn each_algorithm_checks_its_own_signatures_only() {
        let random = SystemRandom::new();
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let point = p256.public_key().as_ref();
        let p256_jwk = json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]) });
        let rsa = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
        let modulus = &rsa.public_key().as_ref()[9..265]; // PKCS #1: sequence, integer of 257 bytes, integer 65537
        let rsa_jwk = json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB" });
        let (ed_jwk, ed) = ed25519(1);
        let claims = json!({ "sub": "x" });
        let texts = [
            ("EdDSA", compact(&json!({ "alg": "EdDSA" }), &claims, ed)),
            ("Ed25519", compact(&json!({ "alg": "Ed25519" }), &claims, ed25519(1).1)),
            (
                "ES256",
                compact(&json!({ "alg": "ES256" }), &claims, |m| {
                    p256.sign(&random, m).expect("it signs").as_ref().to_vec()
                }),
            ),
            (
                "RS256",
                compact(&json!({ "alg": "RS256" }), &claims, |m| {
                    let mut signature = vec![0; rsa.public_modulus_len()];
                    rsa.sign(&RSA_PKCS1_SHA256, &random, m, &mut signature).expect("it signs");
                    signature
                }),
            ),
        ];
        for (alg, text) in &texts {
            let jws = Jws::parse(text).expect("three parts");
            for jwk in [&ed_jwk, &p256_jwk, &rsa_jwk] {
                let key = PublicKey::parse(jwk).expect("a public key");
                assert_eq!(jws.is_signed_by(&key), key.is_used_with(&json!(alg)), "{alg} with {jwk}");
            }
            let (signed, signature) = text.rsplit_once('.').expect("three parts");
            let other = format!(
                "{}{}.{signature}",
                &signed[..signed.len() - 1],
                if signed.ends_with('A') { 'Q' } else { 'A' }
            );
            let key = [&ed_jwk, &p256_jwk, &rsa_jwk]
                .into_iter()
                .filter_map(PublicKey::parse)
                .find(|key| key.is_used_with(&json!(alg)));
            assert!(
                Jws::parse(&other).is_none_or(|jws| !jws.is_signed_by(&key.expect("a key"))),
                "{alg}, changed"
            );
        }
    }

    #[test]
    fn a_thumbprint_is_that_of_rfc_8037() {
        let key = PublicKey::parse(
            &json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
        );
        assert_eq!(key.expect("a key").thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn only_public_keys_of_ours_are_registered() {
        let (jwk, _) = ed25519(1);
        assert!(KeySet::parse(&json!({ "keys": [jwk] }).to_string()).is_ok());
        let with = |name: &str, value: &str| {
            let mut jwk = jwk.clone();
            jwk[name] = json!(value);
            KeySet::parse(&json!({ "keys": [jwk] }).to_string())
        };
        assert_eq!(with("d", "AAAA"), Err(NotAKeySet::Key(1)));
        assert_eq!(with("use", "enc"), Err(NotAKeySet::Key(1)));
        assert_eq!(with("alg", "RS256"), Err(NotAKeySet::Key(1)));
        assert_eq!(with("crv", "X25519"), Err(NotAKeySet::Key(1)));
        assert_eq!(KeySet::parse(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#), Err(NotAKeySet::Key(1)));
        assert_eq!(KeySet::parse(r#"{"keys":[]}"#), Err(NotAKeySet::Count));
        assert_eq!(KeySet::parse("[]"), Err(NotAKeySet::Malformed));
    }

    proptest! {
        #[test]
        fn whatever_is_sent_as_a_signed_text_is_read_or_refused(text in "[A-Za-z0-9_.-]{0,80}", bytes in any::<Vec<u8>>()) {
            drop(Jws::parse(&text).map(|jws| jws.name().map(str::to_owned)));
            drop(Jws::parse(&String::from_utf8_lossy(&bytes)));
            drop(KeySet::parse(&text));
        }

        #[test]
        fn a_signed_text_reads_back(claim in "\\PC{0,20}", at in any::<i32>()) {
            let (jwk, sign) = ed25519(2);
            let text = compact(&json!({ "alg": "EdDSA" }), &json!({ "sub": claim, "exp": at }), sign);
            let jws = Jws::parse(&text).expect("three parts");
            prop_assert_eq!((jws.text("sub"), jws.seconds("exp")), (Some(claim.as_str()), Some(i64::from(at))));
            let keys = KeySet::parse(&json!({ "keys": [jwk] }).to_string()).expect("a set");
            prop_assert!(keys.signed(&jws));
        }
    }
}
