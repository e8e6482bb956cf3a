//! What an OpenID Connect provider says of someone: an ID token, checked as OpenID Connect Core 1.0 §3.1.3.7 demands. Its
//! signature is EdDSA, ES256 or RS256; `none` and shared secrets are no signature here.

use serde_json::Value;

use crate::Timestamp;
use crate::jws::{Jws, PublicKey};

/// How far a provider's clock may be from ours, in seconds.
const SKEW: i64 = 60;

/// Most keys of a provider.
const MOST_KEYS: usize = 100;

/// The public keys of a provider that can be used here (RFC 7517 §5): those of other kinds are passed over.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<(Option<String>, PublicKey)>);

impl Keys {
    /// Reads a JWK set.
    pub fn parse(set: &Value) -> Self {
        let given = set["keys"].as_array().map_or(&[][..], Vec::as_slice);
        let read = |jwk: &Value| Some((jwk["kid"].as_str().map(str::to_owned), PublicKey::parse(jwk)?));
        Self(given.iter().take(MOST_KEYS).filter_map(read).collect())
    }

    /// Whether one of them has the name that a token says.
    pub fn know(&self, token: &str) -> bool {
        let Some(jws) = Jws::parse(token) else { return false };
        let named = jws.header.get("kid").and_then(Value::as_str);
        self.0.iter().any(|(kid, _)| named.is_none() || kid.as_deref() == named)
    }

    fn signed(&self, jws: &Jws<'_>) -> bool {
        let named = jws.header.get("kid").and_then(Value::as_str);
        let fits = |kid: &Option<String>| named.is_none() || kid.is_none() || kid.as_deref() == named;
        self.0.iter().filter(|(kid, _)| fits(kid)).any(|(_, key)| jws.is_signed_by(key))
    }
}

/// What an ID token has to say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// Who issued it.
    pub issuer: &'e str,
    /// For whom: our id there.
    pub client_id: &'e str,
    /// What was asked with.
    pub nonce: &'e str,
    /// The moment.
    pub now: Timestamp,
}

/// Who someone is to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Theirs there for ever.
    pub subject: String,
    /// Their address, as the provider has it.
    pub email: Option<String>,
    /// Whether they proved more than a password (RFC 8176: `mfa`).
    pub has_second_factor: bool,
}

/// Reads an ID token and believes it, or says what is wrong with it.
pub fn check(token: &str, keys: &Keys, expected: Expected<'_>) -> Result<Identity, &'static str> {
    let Expected { issuer, client_id, nonce, now } = expected;
    let jws = Jws::parse(token).ok_or("it is no signed token")?;
    if !keys.signed(&jws) {
        return Err("no key of the provider's signed it with EdDSA, ES256 or RS256");
    }
    let has = |name: &str, value: &str| jws.text(name) == Some(value);
    if !has("iss", issuer) {
        return Err("another issuer made it");
    }
    let alone = has("aud", client_id);
    let among = jws.claims.get("aud").and_then(Value::as_array);
    let among = among.is_some_and(|all| all.iter().any(|one| one == client_id));
    let authorized = jws.claims.get("azp").is_none_or(|azp| azp == client_id);
    let several = jws.claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    if !(alone || among) || !authorized || (several && !has("azp", client_id)) {
        return Err("it is for somebody else");
    }
    let now = now.seconds();
    if jws.seconds("exp").is_none_or(|end| end <= now - SKEW) {
        return Err("it has ended");
    }
    if jws.seconds("iat").is_none_or(|made| made > now + SKEW) {
        return Err("it was made in the future: is a clock wrong?");
    }
    if !has("nonce", nonce) {
        return Err("it answers another question");
    }
    let subject = jws.text("sub").filter(|sub| (1..=255).contains(&sub.len())).ok_or("it names nobody")?;
    let amr = jws.claims.get("amr").and_then(Value::as_array);
    Ok(Identity {
        subject: subject.to_owned(),
        email: jws.text("email").filter(|email| email.len() <= 254).map(str::to_owned),
        has_second_factor: amr.is_some_and(|amr| amr.iter().any(|method| method == "mfa")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jws::tests::{compact, ed25519};

    const NOW: i64 = 1_800_000_000;

    fn expected() -> Expected<'static> {
        let now = Timestamp::from_millis(NOW * 1000);
        Expected { issuer: "https://id.test", client_id: "orquiva", nonce: "n", now }
    }

    fn claims() -> Value {
        json!({ "iss": "https://id.test", "aud": "orquiva", "sub": "1", "nonce": "n", "iat": NOW, "exp": NOW + 300 })
    }

    fn keys() -> Keys {
        let (mut jwk, _) = ed25519(1);
        jwk["kid"] = json!("a");
        Keys::parse(&json!({ "keys": [{ "kty": "oct", "k": "AAAA" }, jwk] }))
    }

    fn checked(header: &Value, claims: &Value) -> Result<Identity, &'static str> {
        check(&compact(header, claims, ed25519(1).1), &keys(), expected())
    }

    #[test]
    fn a_token_that_says_what_it_has_to_is_believed() {
        let mut claims = claims();
        claims["email"] = json!("ana@acme.test");
        claims["amr"] = json!(["pwd", "mfa"]);
        let told = checked(&json!({ "alg": "EdDSA", "kid": "a" }), &claims).expect("it is right");
        assert_eq!((told.subject.as_str(), told.email.as_deref()), ("1", Some("ana@acme.test")));
        assert!(told.has_second_factor);
        claims["aud"] = json!(["other", "orquiva"]);
        assert!(checked(&json!({ "alg": "EdDSA" }), &claims).is_err(), "several, and none is authorized");
        claims["azp"] = json!("orquiva");
        assert!(checked(&json!({ "alg": "EdDSA" }), &claims).is_ok());
    }

    #[test]
    fn one_wrong_claim_is_enough_to_refuse() {
        let header = json!({ "alg": "EdDSA", "kid": "a" });
        for (name, value) in [
            ("iss", json!("https://id.test/")),
            ("aud", json!("other")),
            ("aud", json!(["other"])),
            ("aud", json!(null)),
            ("azp", json!("other")),
            ("exp", json!(NOW - 61)),
            ("exp", json!("soon")),
            ("iat", json!(NOW + 61)),
            ("iat", json!(null)),
            ("nonce", json!("m")),
            ("nonce", json!(null)),
            ("sub", json!("")),
            ("sub", json!("x".repeat(256))),
            ("sub", json!(7)),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            assert!(checked(&header, &claims).is_err(), "{name}: {value}");
        }
        for header in [
            json!({ "alg": "none" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": "RS256" }),
            json!({ "alg": "EdDSA", "kid": "b" }),
            json!({ "alg": "EdDSA", "crit": ["x"], "x": 1 }),
        ] {
            assert!(checked(&header, &claims()).is_err(), "{header}");
        }
        let foreign = compact(&header, &claims(), ed25519(2).1);
        assert!(check(&foreign, &keys(), expected()).is_err());
        assert!(keys().know(&foreign));
        assert!(!keys().know(&compact(&json!({ "alg": "EdDSA", "kid": "b" }), &claims(), ed25519(1).1)));
    }
}
