//! How often someone may try to sign in: for each address here, for each user in the database.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use orquiva_core::Timestamp;
use orquiva_web::subscriber;

/// Tries that one address has in [`SPAN`], whomever it tries to be.
const TRIES: u32 = 30;

/// Of how many milliseconds.
const SPAN: i64 = 10 * 60_000;

/// Addresses that are remembered at most; beyond, those of an older span give way.
const MOST: usize = 100_000;

/// Wrong passwords of one user that cost nothing but themselves.
const FREE: i64 = 4;

/// The longest that a user is blocked after one more, in milliseconds.
const LONGEST: i64 = 15 * 60_000;

/// Who tried from where.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<HashMap<IpAddr, (i64, u32)>>);

impl Gate {
    /// Whether one more try from this address is looked at. A request that came over no connection is our own test's.
    pub(crate) fn admits(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(address) = address.map(subscriber) else { return true };
        let span = now.millis() / SPAN;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (at, _)| *at == span);
        }
        let tries = known.entry(address).or_insert((span, 0));
        if tries.0 != span {
            *tries = (span, 0);
        }
        tries.1 += 1;
        tries.1 <= TRIES
    }
}

/// Until when no password of a user counts after the `failures`th wrong one: from the fifth on a minute, then twice as
/// long each time.
pub(crate) fn blocked_until(failures: i64, now: Timestamp) -> Timestamp {
    let beyond = failures - FREE;
    match beyond > 0 {
        true => now.plus((60_000_i64 << (beyond - 1).min(10)).min(LONGEST)),
        false => Timestamp::from_millis(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_passwords_cost_more_and_more_time() {
        let now = Timestamp::from_millis(1_000);
        let cost = |failures| blocked_until(failures, now).since(now).max(0) / 60_000;
        assert_eq!([1, 4, 5, 6, 7, 8, 9, 40].map(cost), [0, 0, 1, 2, 4, 8, 15, 15]);
    }

    #[test]
    fn an_address_has_so_many_tries_and_a_network_counts_as_one() {
        let gate = Gate::default();
        let now = Timestamp::from_millis(0);
        let from = |text: &str| Some(text.parse().expect("an address"));
        assert!((0..TRIES).all(|_| gate.admits(from("2001:db8::1"), now)));
        assert!(!gate.admits(from("2001:db8::2"), now));
        assert!(gate.admits(from("203.0.113.7"), now));
        assert!(gate.admits(from("2001:db8::1"), now.plus(SPAN)));
    }
}
