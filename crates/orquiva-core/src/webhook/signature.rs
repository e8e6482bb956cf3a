//! The signatures of a delivery. One secret satisfies both families: Stripe's scheme (`X-Orq-Signature`) and Standard
//! Webhooks (`webhook-signature`), which knows Ed25519 too.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::SigningKey;
use crate::{Secret, Timestamp};

/// The keys of one endpoint, ready to sign any number of deliveries.
pub struct Signer {
    keys: Keys,
    /// Those before the last rotation, and until when they sign too.
    previous: Option<(Keys, Timestamp)>,
}

/// A secret in both of its forms, and the key beside it.
struct Keys {
    whole: hmac::Key,
    decoded: hmac::Key,
    pair: Option<SigningKey>,
}

/// The values of the signature headers for one attempt.
#[derive(Debug, PartialEq, Eq)]
pub struct Signatures {
    /// `X-Orq-Signature: t=<unix>,v1=<hex>`, a `v1` for each live secret.
    pub orq: String,
    /// `webhook-signature: v1,<base64> v1a,<base64>`, a `v1` for each live secret and a `v1a` for each live key.
    pub standard: String,
}

impl Signer {
    /// `X-Orq-Signature` is keyed with the whole text of the secret, Standard Webhooks with the bytes
    /// that its part after `whsec_` encodes.
    pub fn new(secret: &Secret) -> Self {
        let text = secret.expose();
        let decoded = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).unwrap_or_default();
        let keys = Keys {
            whole: hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()),
            decoded: hmac::Key::new(hmac::HMAC_SHA256, &decoded),
            pair: None,
        };
        Self { keys, previous: None }
    }

    /// Signs with `pair` too, if there is one.
    #[must_use]
    pub fn with(mut self, pair: Option<SigningKey>) -> Self {
        self.keys.pair = pair;
        self
    }

    /// Signs with the keys of `former` too, until `until`.
    #[must_use]
    pub fn beside(mut self, former: Self, until: Timestamp) -> Self {
        self.previous = Some((former.keys, until));
        self
    }

    /// Signs `body` of the event `id` for an attempt at the moment `at`.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> Signatures {
        let seconds = at.seconds();
        let (stamp, named) = (format!("{seconds}."), format!("{id}.{seconds}."));
        let mut orq = format!("t={seconds}");
        let (mut standard, mut asymmetric) = (Vec::new(), Vec::new());
        let previous = self.previous.as_ref().filter(|(_, until)| at < *until).map(|(keys, _)| keys);
        for keys in [Some(&self.keys), previous].into_iter().flatten() {
            orq.push_str(",v1=");
            for byte in mac(&keys.whole, &[stamp.as_bytes(), body]).as_ref() {
                orq.push_str(&format!("{byte:02x}"));
            }
            let tag = mac(&keys.decoded, &[named.as_bytes(), body]);
            standard.push(format!("v1,{}", STANDARD.encode(tag)));
            if let Some(pair) = &keys.pair {
                asymmetric.push(format!("v1a,{}", pair.sign(&[named.as_bytes(), body].concat())));
            }
        }
        standard.append(&mut asymmetric);
        Signatures { orq, standard: standard.join(" ") }
    }

    /// Checks an `X-Orq-Signature` the way a receiver does: one `v1` of it is right, and its time is
    /// within `tolerance` milliseconds of `now`.
    pub fn verifies(&self, header: &str, body: &[u8], now: Timestamp, tolerance: i64) -> bool {
        let mut seconds = None;
        let mut given = Vec::new();
        for part in header.split(',') {
            match part.split_once('=') {
                Some(("t", value)) => seconds = value.parse::<i64>().ok(),
                Some(("v1", value)) => given.push(value),
                Some(_) | None => {}
            }
        }
        let Some(seconds) = seconds else { return false };
        let fresh = now.since(Timestamp::from_millis(seconds.saturating_mul(1000))).abs() <= tolerance;
        let signed = [format!("{seconds}.").as_bytes(), body].concat();
        fresh
            && given.iter().any(|hex| {
                unhex(hex).is_some_and(|tag| hmac::verify(&self.keys.whole, &signed, &tag).is_ok())
            })
    }
}

fn mac(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    context.sign()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const BODY: &str = r#"{"id":"evt_01JQ8Z6X3V4M5N6P7R8S9T0A1B","type":"employee.created","timestamp":"2026-01-01T00:00:00Z","data":{"id":"emp_1","fullName":"Ana Pérez"}}"#;

    fn signer() -> Signer {
        Signer::new(&Secret::new(SECRET))
    }

    /// The golden vector of the contract.
    #[test]
    fn the_golden_vector_holds() {
        let signed = signer().sign(
            "evt_01JQ8Z6X3V4M5N6P7R8S9T0A1B",
            Timestamp::from_millis(1_767_225_600_000),
            BODY.as_bytes(),
        );
        assert_eq!(
            signed.orq,
            "t=1767225600,v1=b6828bfa1fadbb127e50a9f1f14e419e35ce20cebb1766e73ce552cdf829b810"
        );
        assert_eq!(signed.standard, "v1,UqNqWGKP948Qic0jhbU9ovQsRUR7dbqkBVIT+TaLukE=");
    }

    #[test]
    fn during_an_overlap_whoever_has_the_old_secret_or_the_new_one_is_satisfied() {
        let at = Timestamp::from_millis(1_767_225_600_000);
        let until = at.plus(1000);
        let old = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xkIG9sZCA=";
        let key = |seed: u8| SigningKey::from_seed(&[seed; 32]).expect("32 bytes");
        let former = Signer::new(&Secret::new(old)).with(Some(key(1)));
        let signer = signer().with(Some(key(2))).beside(former, until);
        for (now, both) in [(at, true), (until.plus(-1), true), (until, false)] {
            let signed = signer.sign("evt_1", now, b"{}");
            let versions: Vec<_> =
                signed.standard.split(' ').filter_map(|one| one.split(',').next()).collect();
            let expected: &[_] = if both { &["v1", "v1", "v1a", "v1a"] } else { &["v1", "v1a"] };
            assert_eq!(versions, expected);
            assert!(Signer::new(&Secret::new(SECRET)).verifies(&signed.orq, b"{}", now, 1000));
            assert_eq!(Signer::new(&Secret::new(old)).verifies(&signed.orq, b"{}", now, 1000), both);
            let by_hand =
                |seed| format!("v1a,{}", key(seed).sign(format!("evt_1.{}.{{}}", now.seconds()).as_bytes()));
            assert!(signed.standard.contains(&by_hand(2)));
            assert_eq!(signed.standard.contains(&by_hand(1)), both);
        }
    }

    proptest! {
        #[test]
        fn a_signature_holds_for_its_own_body_only(body in any::<Vec<u8>>(), flip in any::<prop::sample::Index>(), seconds in 0_i64..4_000_000_000) {
            let at = Timestamp::from_millis(seconds * 1000);
            let header = signer().sign("evt_1", at, &body).orq;
            prop_assert!(signer().verifies(&header, &body, at, 0));
            prop_assert!(!signer().verifies(&header, &body, at.plus(300_001), 300_000));
            let mut other = body.clone();
            if other.is_empty() { other.push(0) } else { let at = flip.index(other.len()); other[at] ^= 1; }
            prop_assert!(!signer().verifies(&header, &other, at, 0));
            prop_assert!(!Signer::new(&Secret::new("whsec_AAAA")).verifies(&header, &body, at, 0));
        }

        #[test]
        fn an_outside_verifier_accepts_it(body in "\\PC{0,200}", seconds in 1_000_000_000_i64..4_000_000_000) {
            let signed = signer().sign("evt_1", Timestamp::from_millis(seconds * 1000), body.as_bytes());
            let outside = standardwebhooks::Webhook::new(SECRET).expect("a secret of the standard's form");
            prop_assert_eq!(outside.sign("evt_1", seconds, body.as_bytes()).expect("it signs"), signed.standard);
        }
    }
}
