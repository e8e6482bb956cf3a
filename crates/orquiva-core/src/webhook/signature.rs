//! The two signatures of a delivery. One secret satisfies both: Stripe's scheme (`X-Orq-Signature`)
//! and Standard Webhooks (`webhook-signature`).

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Secret, Timestamp};

/// The keys made of one endpoint's secret, ready to sign any number of deliveries.
pub struct Signer {
    whole: hmac::Key,
    decoded: hmac::Key,
}

/// The values of the signature headers for one attempt.
#[derive(Debug, PartialEq, Eq)]
pub struct Signatures {
    /// `X-Orq-Signature: t=<unix>,v1=<hex>`.
    pub orq: String,
    /// `webhook-signature: v1,<base64>`.
    pub standard: String,
}

impl Signer {
    /// `X-Orq-Signature` is keyed with the whole text of the secret, Standard Webhooks with the bytes
    /// that its part after `whsec_` encodes.
    pub fn new(secret: &Secret) -> Self {
        let text = secret.expose();
        let decoded = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).unwrap_or_default();
        Self {
            whole: hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()),
            decoded: hmac::Key::new(hmac::HMAC_SHA256, &decoded),
        }
    }

    /// Signs `body` of the event `id` for an attempt at the moment `at`.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> Signatures {
        let seconds = at.seconds();
        let orq = mac(&self.whole, &[format!("{seconds}.").as_bytes(), body]);
        let standard = mac(&self.decoded, &[format!("{id}.{seconds}.").as_bytes(), body]);
        let hex: String = orq.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Signatures {
            orq: format!("t={seconds},v1={hex}"),
            standard: format!("v1,{}", STANDARD.encode(standard)),
        }
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
            && given
                .iter()
                .any(|hex| unhex(hex).is_some_and(|tag| hmac::verify(&self.whole, &signed, &tag).is_ok()))
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
