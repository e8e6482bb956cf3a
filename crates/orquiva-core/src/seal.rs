//! The master key: seals what must be read again (AES-256-GCM) and hashes what must only be compared.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Chance, Secret};

/// 256 bits from which every other key of the installation is derived.
pub struct MasterKey {
    sealing: LessSafeKey,
    hashing: hmac::Key,
    cursors: hmac::Key,
    check: [u8; 16],
}

/// How much longer a sealed text is than the text itself, in bytes: nonce and tag.
pub const OVERHEAD: usize = 12 + 16;

/// A sealed text does not open: it was made under another master key, or for another place.
#[derive(Debug, thiserror::Error)]
#[error("a sealed secret does not open under this master key")]
pub struct Unsealable;

impl MasterKey {
    /// Length of the key, in bytes.
    pub const LENGTH: usize = 32;

    /// Derives the working keys, each by HMAC-SHA256 of its purpose.
    pub fn new(bytes: &[u8; Self::LENGTH]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let derive =
            |purpose: &str| Zeroizing::new(hmac::sign(&master, purpose.as_bytes()).as_ref().to_vec());
        let sealing = UnboundKey::new(&AES_256_GCM, &derive("seal v1")).expect("HMAC-SHA256 gives 32 bytes");
        let mut check = [0; 16];
        check.copy_from_slice(&derive("check v1")[..16]);
        Self {
            sealing: LessSafeKey::new(sealing),
            hashing: hmac::Key::new(hmac::HMAC_SHA256, &derive("hash v1")),
            cursors: hmac::Key::new(hmac::HMAC_SHA256, &derive("cursor v1")),
            check,
        }
    }

    /// What the database keeps to notice that it was opened under another key. It reveals nothing of the key.
    pub fn check(&self) -> &[u8] {
        &self.check
    }

    /// Seals `secret` for `place` (as associated data: a sealed text moved to another row does not open).
    pub fn seal(&self, secret: &[u8], place: &str, chance: &dyn Chance) -> Vec<u8> {
        let mut nonce = [0; 12];
        chance.fill(&mut nonce);
        let mut sealed = secret.to_vec();
        self.sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .expect("a secret is far shorter than AES-GCM's limit");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what [`MasterKey::seal`] closed for the same `place`.
    pub fn open(&self, sealed: &[u8], place: &str) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (nonce, body) = sealed.split_at_checked(12).ok_or(Unsealable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unsealable)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length =
            self.sealing.open_in_place(nonce, Aad::from(place), &mut body).map_err(|_| Unsealable)?.len();
        body.truncate(length);
        Ok(body)
    }

    /// The keyed hash under which a high-entropy secret is kept.
    pub fn hash(&self, secret: &Secret) -> Vec<u8> {
        hmac::sign(&self.hashing, secret.expose().as_bytes()).as_ref().to_vec()
    }

    /// Compares in constant time.
    pub fn matches(&self, secret: &Secret, hash: &[u8]) -> bool {
        self.hash(secret).ct_eq(hash).into()
    }

    /// A tag of 16 bytes that proves that we wrote `bytes`: cursors carry it.
    pub fn tag(&self, bytes: &[u8]) -> [u8; 16] {
        let mut tag = [0; 16];
        tag.copy_from_slice(&hmac::sign(&self.cursors, bytes).as_ref()[..16]);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    #[test]
    fn a_sealed_secret_opens_only_in_its_place_and_under_its_key() {
        let chance = SeededChance::new(3);
        let key = MasterKey::new(&[7; 32]);
        let sealed = key.seal(b"whsec_x", "webhook/1", &chance);
        assert_eq!(key.open(&sealed, "webhook/1").expect("it is its place").as_slice(), b"whsec_x");
        assert!(key.open(&sealed, "webhook/2").is_err());
        assert!(MasterKey::new(&[8; 32]).open(&sealed, "webhook/1").is_err());
        assert!(key.open(&sealed[..5], "webhook/1").is_err());
        assert!(!sealed.windows(5).any(|window| window == b"whsec"));
    }
}
