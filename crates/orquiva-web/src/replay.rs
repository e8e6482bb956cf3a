//! Proofs of possession are good once on a node (RFC 9449 §11.1). They live a minute, so a node remembers those
//! of the last minute only; another node would take one once more within that minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use orquiva_core::Timestamp;
use orquiva_core::dpop::Proof;

/// Proofs that are remembered at most; past it new ones are refused until old ones have expired.
const MOST: usize = 500_000;

/// The proofs that were accepted and have not expired.
#[derive(Debug, Default)]
pub(crate) struct Replays(Mutex<Spent>);

#[derive(Debug, Default)]
struct Spent {
    proofs: HashMap<[u8; 32], Timestamp>,
    swept_at: Timestamp,
}

impl Replays {
    /// Spends a proof; false if it was spent before, or there are too many to remember.
    pub(crate) fn spend(&self, proof: &Proof, now: Timestamp) -> bool {
        let mut hash = Context::new(&SHA256);
        hash.update(proof.thumbprint.as_bytes());
        hash.update(b"\n");
        hash.update(proof.name.as_bytes());
        let mut name = [0; 32];
        name.copy_from_slice(hash.finish().as_ref());
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(spent.swept_at) >= 10_000 {
            spent.proofs.retain(|_, expires| now < *expires);
            spent.swept_at = now;
        }
        spent.proofs.len() < MOST && spent.proofs.insert(name, proof.expires).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_spent_once_and_forgotten_when_it_has_expired() {
        let replays = Replays::default();
        let at = Timestamp::from_millis;
        let proof = |key: &str, name: &str, end| Proof {
            thumbprint: key.to_owned(),
            name: name.to_owned(),
            expires: at(end),
        };
        assert!(replays.spend(&proof("a", "1", 60_000), at(0)));
        assert!(!replays.spend(&proof("a", "1", 60_000), at(59_999)));
        assert!(replays.spend(&proof("b", "1", 60_000), at(1)), "names are each key's own");
        assert!(replays.spend(&proof("a", "2", 130_000), at(80_000)));
        assert_eq!(replays.0.lock().expect("nobody panicked").proofs.len(), 1);
    }
}
