//! Proofs of possession (RFC 9449): a token that is bound to a key is of no use to whoever steals it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;
use url::Url;

use crate::Timestamp;
use crate::jws::{Jws, PublicKey};

/// A proof is good for this long after it was made, in seconds.
pub const LIFETIME: i64 = 60;

/// Seconds by which a client's clock may be ahead of ours.
const SKEW: i64 = 10;

/// The request that a proof has to be about.
#[derive(Clone, Copy, Debug)]
pub struct About<'r> {
    /// Its method.
    pub method: &'r str,
    /// Its whole address.
    pub url: &'r str,
    /// The access token that comes with it; none at the token endpoint.
    pub token: Option<&'r str>,
}

/// A proof that was checked. It is good once: whoever accepts it remembers its name until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The thumbprint of its key, as `cnf.jkt` in tokens.
    pub thumbprint: String,
    /// `jti`.
    pub name: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// Checks a proof; what is wrong with it is said in ASCII.
pub fn check(text: &str, about: About<'_>, now: Timestamp) -> Result<Proof, &'static str> {
    let jws = Jws::parse(text).ok_or("The DPoP proof is no JWT")?;
    let typ = jws.header.get("typ").and_then(|typ| typ.as_str()).unwrap_or_default();
    if !typ.eq_ignore_ascii_case("dpop+jwt") {
        return Err("typ of the DPoP proof has to be dpop+jwt");
    }
    let key = jws.header.get("jwk").and_then(PublicKey::parse);
    let key = key.ok_or("jwk of the DPoP proof has to be a public key for EdDSA, ES256 or RS256")?;
    if !jws.is_signed_by(&key) {
        return Err("The DPoP proof is not signed by its key");
    }
    if jws.text("htm") != Some(about.method) {
        return Err("htm of the DPoP proof is not the method of the request");
    }
    if jws.text("htu").and_then(address).is_none_or(|htu| Some(htu) != address(about.url)) {
        return Err("htu of the DPoP proof is not the address of the request");
    }
    let made = jws.seconds("iat").ok_or("iat of the DPoP proof is missing")?;
    let age = now.seconds().saturating_sub(made);
    if !(-SKEW..LIFETIME).contains(&age) {
        return Err("iat of the DPoP proof is too far from the time of the server");
    }
    if let Some(token) = about.token {
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        let given = jws.text("ath").unwrap_or_default();
        if !bool::from(given.as_bytes().ct_eq(hash.as_bytes())) {
            return Err("ath of the DPoP proof is not the hash of the access token");
        }
    }
    let name = jws.name().ok_or("jti of the DPoP proof has to have 1 to 255 characters")?.to_owned();
    let expires = Timestamp::from_millis((made + LIFETIME) * 1000);
    Ok(Proof { thumbprint: key.thumbprint(), name, expires })
}

/// An address without query and fragment, in its normal form (RFC 9449 §4.3).
fn address(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jws::tests::{compact, ed25519};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_767_225_600;
    const TOKEN: &str = "eyJ.token.sig";

    fn about<'r>() -> About<'r> {
        About { method: "GET", url: "https://a.test/v1/employees", token: Some(TOKEN) }
    }

    fn good() -> (Value, Value) {
        let (jwk, _) = ed25519(1);
        let ath = URL_SAFE_NO_PAD.encode(digest(&SHA256, TOKEN.as_bytes()));
        (
            json!({ "alg": "EdDSA", "typ": "dpop+jwt", "jwk": jwk }),
            json!({ "jti": "one", "htm": "GET", "htu": "https://a.test/v1/employees", "iat": NOW, "ath": ath }),
        )
    }

    fn checked(header: &Value, claims: &Value) -> Result<Proof, &'static str> {
        let text = compact(header, claims, ed25519(1).1);
        check(&text, about(), Timestamp::from_millis(NOW * 1000))
    }

    #[test]
    fn a_proof_holds_only_for_its_own_request() {
        let (header, claims) = good();
        let proof = checked(&header, &claims).expect("it holds");
        assert_eq!(proof.thumbprint, PublicKey::parse(&header["jwk"]).expect("a key").thumbprint());
        for (name, value) in [
            ("htu", json!("https://A.test:443/v1/employees?limit=1#x")),
            ("iat", json!(NOW - 59)),
            ("iat", json!(NOW + 10)),
        ] {
            let mut other = claims.clone();
            other[name] = value.clone();
            assert!(checked(&header, &other).is_ok(), "{name} = {value}");
        }
        for (name, value) in [
            ("jti", json!("")),
            ("jti", Value::Null),
            ("htm", json!("POST")),
            ("htm", json!("get")),
            ("htu", json!("https://a.test/v1/employees/")),
            ("htu", json!("http://a.test/v1/employees")),
            ("htu", json!("/v1/employees")),
            ("iat", json!(NOW - 60)),
            ("iat", json!(NOW + 11)),
            ("iat", Value::Null),
            ("iat", json!(i64::MIN)),
            ("ath", json!("")),
            ("ath", Value::Null),
        ] {
            let mut other = claims.clone();
            other[name] = value.clone();
            assert!(checked(&header, &other).is_err(), "{name} = {value}");
        }
        for (name, value) in [
            ("typ", json!("JWT")),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("jwk", ed25519(2).0),
            ("jwk", Value::Null),
            ("crit", json!(["b64"])),
        ] {
            let mut other = header.clone();
            other[name] = value.clone();
            assert!(checked(&other, &claims).is_err(), "{name} = {value}");
        }
        let mut private = header.clone();
        private["jwk"]["d"] = json!("AAAA");
        assert!(checked(&private, &claims).is_err(), "a proof must not show a private key");
    }

    proptest! {
        #[test]
        fn a_proof_lives_a_minute(age in -200_i64..200) {
            let (header, mut claims) = good();
            claims["iat"] = json!(NOW - age);
            prop_assert_eq!(checked(&header, &claims).is_ok(), (-10..60).contains(&age));
        }

        #[test]
        fn whatever_is_sent_as_a_proof_is_read_or_refused(text in "\\PC{0,80}", htu in "\\PC{0,40}", name in "[a-z]{3}", value in "\\PC{0,20}") {
            let now = Timestamp::from_millis(NOW * 1000);
            prop_assert!(check(&text, about(), now).is_err());
            let (mut header, mut claims) = good();
            claims["htu"] = json!(htu);
            prop_assert!(checked(&header, &claims).is_err());
            header[&name] = json!(value);
            drop(checked(&header, &claims));
        }
    }
}
