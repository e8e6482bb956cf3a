//! Passkeys (Web Authentication Level 3): what a browser says when one is made (§7.1) and when one is used (§7.2).
//!
//! Attestation is not asked for, so a new key is taken as the browser tells it: its public key in the form of
//! `getPublicKey()`. Nothing of it has to be read from CBOR.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

/// The algorithms that a key may have, as COSE numbers them (RFC 9053): ES256, EdDSA, RS256.
pub const ALGORITHMS: [i64; 3] = [-7, -8, -257];

/// Someone is there (§6.1).
const PRESENT: u8 = 1;
/// The authenticator knows who it is, by finger, face or PIN.
const VERIFIED: u8 = 4;

/// What a passkey has to be about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The random bytes that were asked for, in base64url.
    pub challenge: &'a str,
    /// Scheme, host and port of the page: `https://orquiva.example`.
    pub origin: &'a str,
    /// The host alone.
    pub host: &'a str,
}

/// A passkey as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Its id, in base64url.
    pub id: String,
    /// Its public key (`SubjectPublicKeyInfo`).
    pub public_key: Vec<u8>,
    /// One of [`ALGORITHMS`].
    pub algorithm: i64,
    /// How often it was used, if its authenticator counts.
    pub counter: u32,
}

/// A browser's answer when a key was made; every text in base64url.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// The key's id.
    pub id: &'a str,
    /// `clientDataJSON`.
    pub client_data: &'a str,
    /// `getAuthenticatorData()`.
    pub authenticator_data: &'a str,
    /// `getPublicKey()`.
    pub public_key: &'a str,
    /// `getPublicKeyAlgorithm()`.
    pub algorithm: i64,
}

/// A browser's answer when a key was used; every text in base64url.
#[derive(Clone, Copy, Debug)]
pub struct Used<'a> {
    /// `clientDataJSON`.
    pub client_data: &'a str,
    /// `authenticatorData`.
    pub authenticator_data: &'a str,
    /// `signature`.
    pub signature: &'a str,
}

/// Why a passkey is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the passkey cannot be taken: {0}")]
pub struct Refused(&'static str);

/// Reads a new key.
pub fn register(made: Made<'_>, about: About<'_>) -> Result<Passkey, Refused> {
    check_client_data(made.client_data, "webauthn.create", about)?;
    let data = bytes(made.authenticator_data)?;
    let counter = check_authenticator(&data, about)?;
    // The key's id stands behind 16 bytes that name the model of the authenticator, and two of length.
    let length = data.get(53..55).ok_or(Refused("it tells no key"))?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    let id = data.get(55..55 + length).ok_or(Refused("it tells no key"))?;
    if id != bytes(made.id)? || !(16..=1023).contains(&id.len()) {
        return Err(Refused("its id is not the one that it tells"));
    }
    let public_key = bytes(made.public_key)?;
    let algorithm = algorithm(made.algorithm).ok_or(Refused("its algorithm is none of ours"))?;
    UnparsedPublicKey::new(algorithm, &public_key).parse().map_err(|_| Refused("its public key is none"))?;
    Ok(Passkey { id: made.id.to_owned(), public_key, algorithm: made.algorithm, counter })
}

/// Whether `used` was signed by `key`; how often that key was used by now.
pub fn verify(used: Used<'_>, key: &Passkey, about: About<'_>) -> Result<u32, Refused> {
    check_client_data(used.client_data, "webauthn.get", about)?;
    let data = bytes(used.authenticator_data)?;
    let counter = check_authenticator(&data, about)?;
    // A counter that does not rise is that of a copy (§6.1.1); most authenticators do not count at all.
    if (counter > 0 || key.counter > 0) && counter <= key.counter {
        return Err(Refused("it was used by a copy of the key"));
    }
    let signed = [data.as_slice(), digest(&SHA256, &bytes(used.client_data)?).as_ref()].concat();
    let algorithm = algorithm(key.algorithm).ok_or(Refused("its algorithm is none of ours"))?;
    UnparsedPublicKey::new(algorithm, &key.public_key)
        .verify(&signed, &bytes(used.signature)?)
        .map(|()| counter)
        .map_err(|_| Refused("its signature is another's"))
}

fn algorithm(number: i64) -> Option<&'static dyn VerificationAlgorithm> {
    match number {
        -7 => Some(&ECDSA_P256_SHA256_ASN1),
        -8 => Some(&ED25519),
        -257 => Some(&RSA_PKCS1_2048_8192_SHA256),
        _ => None,
    }
}

fn check_client_data(sent: &str, kind: &str, about: About<'_>) -> Result<(), Refused> {
    let data: Value = serde_json::from_slice(&bytes(sent)?).map_err(|_| Refused("its data is no JSON"))?;
    let text = |name: &str| data[name].as_str().unwrap_or_default();
    if text("type") != kind {
        return Err(Refused("it is for something else"));
    }
    if !bool::from(text("challenge").trim_end_matches('=').as_bytes().ct_eq(about.challenge.as_bytes())) {
        return Err(Refused("it answers another question"));
    }
    match text("origin") == about.origin && data["crossOrigin"] != Value::Bool(true) {
        true => Ok(()),
        false => Err(Refused("it comes from another page")),
    }
}

/// The counter of an authenticator that knows whom it has before it, and whom it speaks to.
fn check_authenticator(data: &[u8], about: About<'_>) -> Result<u32, Refused> {
    let (Some(host), Some(flags), Some(counter)) = (data.get(..32), data.get(32), data.get(33..37)) else {
        return Err(Refused("its data is cut off"));
    };
    if host != digest(&SHA256, about.host.as_bytes()).as_ref() {
        return Err(Refused("it is for another host"));
    }
    match flags & PRESENT != 0 && flags & VERIFIED != 0 {
        true => Ok(u32::from_be_bytes([counter[0], counter[1], counter[2], counter[3]])),
        false => Err(Refused("it does not know who used it")),
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| Refused("it is no base64url"))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const ABOUT: About<'_> =
        About { challenge: "Y2hhbGxlbmdl", origin: "https://orquiva.test", host: "orquiva.test" };

    fn text(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn client_data(kind: &str, challenge: &str, origin: &str) -> String {
        text(json!({ "type": kind, "challenge": challenge, "origin": origin }).to_string())
    }

    fn authenticator(host: &str, flags: u8, counter: u32, id: &[u8]) -> Vec<u8> {
        let mut data = digest(&SHA256, host.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(counter.to_be_bytes());
        data.extend([0; 16]);
        data.extend((id.len() as u16).to_be_bytes());
        data.extend(id);
        data
    }

    #[test]
    fn a_passkey_signs_in_on_its_own_page_alone() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a key has a form");
        let id = [7_u8; 20];
        let make = |kind: &str, challenge: &str, origin: &str, host: &str, flags: u8| {
            register(
                Made {
                    id: &text(id),
                    client_data: &client_data(kind, challenge, origin),
                    authenticator_data: &text(authenticator(host, flags, 1, &id)),
                    public_key: &text(public.as_ref()),
                    algorithm: -7,
                },
                ABOUT,
            )
        };
        let key =
            make("webauthn.create", ABOUT.challenge, ABOUT.origin, ABOUT.host, 0x45).expect("it is right");
        assert_eq!((key.counter, key.algorithm), (1, -7));
        assert!(make("webauthn.get", ABOUT.challenge, ABOUT.origin, ABOUT.host, 0x45).is_err());
        assert!(make("webauthn.create", "b3Ryb3M", ABOUT.origin, ABOUT.host, 0x45).is_err());
        assert!(make("webauthn.create", ABOUT.challenge, "https://evil.test", ABOUT.host, 0x45).is_err());
        assert!(make("webauthn.create", ABOUT.challenge, ABOUT.origin, "evil.test", 0x45).is_err());
        assert!(make("webauthn.create", ABOUT.challenge, ABOUT.origin, ABOUT.host, 0x41).is_err());

        let sign = |origin: &str, counter: u32, flags: u8| {
            let client = client_data("webauthn.get", ABOUT.challenge, origin);
            let data = authenticator(ABOUT.host, flags, counter, &[])[..37].to_vec();
            let hash = digest(&SHA256, &bytes(&client).expect("ours"));
            let signature =
                pair.sign(&SystemRandom::new(), &[&data, hash.as_ref()].concat()).expect("it signs");
            (client, text(data), text(signature.as_ref()))
        };
        let check = |(client_data, authenticator_data, signature): &(String, String, String)| {
            verify(Used { client_data, authenticator_data, signature }, &key, ABOUT)
        };
        assert_eq!(check(&sign(ABOUT.origin, 2, 5)), Ok(2));
        assert!(check(&sign(ABOUT.origin, 1, 5)).is_err(), "a copy");
        assert!(check(&sign("https://evil.test", 2, 5)).is_err());
        assert!(check(&sign(ABOUT.origin, 2, 1)).is_err(), "nobody was recognised");
        let (client, data, _) = sign(ABOUT.origin, 2, 5);
        assert!(check(&(client, data, sign(ABOUT.origin, 3, 5).2)).is_err(), "another signature");
        for cut in ["", "AAAA", "\u{fffd}"] {
            assert!(
                verify(Used { client_data: cut, authenticator_data: cut, signature: cut }, &key, ABOUT)
                    .is_err()
            );
        }
    }
}
