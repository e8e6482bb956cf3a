//! A client that proves itself with a key of its own instead of a secret: `private_key_jwt` (RFC 7523 §3).

use serde_json::Value;

use crate::Timestamp;
use crate::jws::{Jws, KeySet};

/// `client_assertion_type` of RFC 7523 §2.2.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An assertion is good for at most this long, in seconds.
const LONGEST: i64 = 300;

/// Seconds by which a client's clock may be ahead of ours.
const SKEW: i64 = 60;

/// An assertion that was checked. It is good once: whoever accepts it remembers its name until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// `jti`.
    pub name: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// The client that an assertion says it comes from. Nothing is checked yet.
pub fn subject(text: &str) -> Option<String> {
    Jws::parse(text)?.text("sub").map(str::to_owned)
}

/// Checks an assertion of `client`, made for one of `audiences`; nothing if it does not hold.
pub fn check(
    text: &str,
    client: &str,
    keys: &KeySet,
    audiences: &[&str],
    now: Timestamp,
) -> Option<Assertion> {
    let jws = Jws::parse(text)?;
    let now = now.seconds();
    let own = jws.text("iss") == Some(client) && jws.text("sub") == Some(client);
    let expires = jws.seconds("exp")?;
    let begun = |name: &str| jws.seconds(name).is_none_or(|at| at <= now + SKEW);
    let timely = now < expires && expires <= now + LONGEST && begun("nbf") && begun("iat");
    let name = jws.name()?;
    let meant = is_for(jws.claims.get("aud")?, audiences);
    (own && timely && meant && keys.signed(&jws))
        .then(|| Assertion { name: name.to_owned(), expires: Timestamp::from_millis(expires * 1000) })
}

/// Whether an audience is ours alone: what was also made for others could be taken from them and sent to us.
fn is_for(audience: &Value, ours: &[&str]) -> bool {
    let is_ours = |value: &Value| value.as_str().is_some_and(|text| ours.contains(&text));
    match audience {
        Value::Array(all) => !all.is_empty() && all.iter().all(is_ours),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            is_ours(audience)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jws::tests::{compact, ed25519};
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: i64 = 1_767_225_600;

    fn checked(claims: &Value) -> Option<Assertion> {
        let (jwk, sign) = ed25519(1);
        let keys = KeySet::parse(&json!({ "keys": [jwk] }).to_string()).expect("a set");
        let text = compact(&json!({ "alg": "EdDSA" }), claims, sign);
        check(
            &text,
            "cli_1",
            &keys,
            &["https://a.test", "https://a.test/oauth/token"],
            Timestamp::from_millis(NOW * 1000),
        )
    }

    fn good() -> Value {
        json!({ "iss": "cli_1", "sub": "cli_1", "aud": "https://a.test", "exp": NOW + 60, "iat": NOW, "jti": "one" })
    }

    #[test]
    fn an_assertion_holds_only_as_rfc_7523_says() {
        assert_eq!(checked(&good()).map(|a| a.name).as_deref(), Some("one"));
        for (name, value) in [
            ("aud", json!("https://a.test/oauth/token")),
            ("aud", json!(["https://a.test"])),
            ("exp", json!(NOW + 300)),
            ("exp", json!(NOW as f64 + 10.5)),
        ] {
            let mut claims = good();
            claims[name] = value.clone();
            assert!(checked(&claims).is_some(), "{name} = {value}");
        }
        for (name, value) in [
            ("iss", json!("cli_2")),
            ("sub", json!("cli_2")),
            ("aud", json!("https://b.test")),
            ("aud", json!(["https://a.test", "https://b.test"])),
            ("aud", json!([])),
            ("aud", Value::Null),
            ("exp", json!(NOW)),
            ("exp", json!(NOW + 301)),
            ("exp", json!("soon")),
            ("exp", Value::Null),
            ("nbf", json!(NOW + 61)),
            ("iat", json!(NOW + 61)),
            ("jti", json!("")),
            ("jti", json!("x".repeat(256))),
            ("jti", Value::Null),
        ] {
            let mut claims = good();
            claims[name] = value.clone();
            assert!(checked(&claims).is_none(), "{name} = {value}");
        }
    }

    #[test]
    fn another_key_and_another_algorithm_are_refused() {
        let (jwk, _) = ed25519(1);
        let keys = KeySet::parse(&json!({ "keys": [jwk] }).to_string()).expect("a set");
        let now = Timestamp::from_millis(NOW * 1000);
        for header in
            [json!({ "alg": "EdDSA" }), json!({ "alg": "none" }), json!({ "alg": "HS256" }), json!({})]
        {
            let text = compact(&header, &good(), ed25519(2).1);
            assert_eq!(check(&text, "cli_1", &keys, &["https://a.test"], now), None, "{header}");
        }
        let unsigned = compact(&json!({ "alg": "none" }), &good(), |_| Vec::new());
        assert_eq!(check(&unsigned, "cli_1", &keys, &["https://a.test"], now), None);
    }

    proptest! {
        #[test]
        fn an_assertion_lives_no_longer_than_five_minutes(exp in -1000_i64..1000) {
            let mut claims = good();
            claims["exp"] = json!(NOW + exp);
            prop_assert_eq!(checked(&claims).is_some(), (1..=300).contains(&exp));
        }

        #[test]
        fn whatever_is_sent_as_an_assertion_is_read_or_refused(text in "\\PC{0,60}", header in "\\PC{0,20}", claims in "\\PC{0,40}") {
            drop(subject(&text));
            drop(subject(&compact(&json!(header), &json!(claims), |_| Vec::new())));
        }
    }
}
