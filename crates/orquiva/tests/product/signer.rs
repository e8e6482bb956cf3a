//! A client's own key, and what it signs with it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use orquiva_core::jws::{KeySet, PublicKey};
use serde_json::{Value, json};

use crate::harness::{PUBLIC, START};

pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(crate) fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    /// The public half.
    pub(crate) fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref()) })
    }

    pub(crate) fn key_set(&self) -> KeySet {
        KeySet::parse(&json!({ "keys": [self.jwk()] }).to_string()).unwrap()
    }

    pub(crate) fn thumbprint(&self) -> String {
        PublicKey::parse(&self.jwk()).unwrap().thumbprint()
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes())))
    }

    /// The form by which a client asks for a token with a signed assertion.
    pub(crate) fn form(&self, client: &str, name: &str) -> String {
        let now = START.seconds();
        let claims = json!({ "iss": client, "sub": client, "aud": PUBLIC, "exp": now + 60, "jti": name });
        self.form_of(&claims)
    }

    pub(crate) fn form_of(&self, claims: &Value) -> String {
        format!(
            "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={}",
            self.sign(&json!({ "alg": "EdDSA" }), claims)
        )
    }

    /// A proof of possession for a request; `token` is the access token that goes with it.
    pub(crate) fn proof(&self, name: &str, method: &str, path: &str, token: Option<&str>) -> String {
        let mut claims =
            json!({ "jti": name, "htm": method, "htu": format!("{PUBLIC}{path}"), "iat": START.seconds() });
        if let Some(token) = token {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())));
        }
        self.sign(&json!({ "alg": "EdDSA", "typ": "dpop+jwt", "jwk": self.jwk() }), &claims)
    }
}
