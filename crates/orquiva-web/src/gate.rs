//! The limit of the token endpoint, apart from the API's: so many requests a minute from one address, and of them
//! so many for one client. Attempts that fail count too. A client is counted by address as well, so that nobody
//! can lock it out from elsewhere; and it is each node that counts.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};

use orquiva_core::id::ClientId;

use crate::address::subscriber;
use crate::limits::Limits;

/// Requests a minute to the token endpoint; 0 is no limit.
#[derive(Clone, Copy, Debug)]
pub struct TokenLimits {
    /// For one client from one address.
    pub per_client: u32,
    /// From one address.
    pub per_address: u32,
}

impl Default for TokenLimits {
    fn default() -> Self {
        Self { per_client: 60, per_address: 120 }
    }
}

impl TokenLimits {
    /// For resource servers that ask about tokens: ten times as many.
    fn tenfold(self) -> Self {
        Self { per_client: self.per_client * 10, per_address: self.per_address * 10 }
    }
}

/// Who may still ask.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: TokenLimits,
    addresses: Limits<IpAddr>,
    clients: Limits<(ClientId, Option<IpAddr>)>,
    /// When the next warning about a proxy is due.
    next_warning: AtomicI64,
}

/// The gates of the token endpoint and its neighbours.
#[derive(Debug)]
pub(crate) struct Gates {
    /// For those that issue and revoke.
    pub(crate) tokens: Gate,
    /// For introspection.
    pub(crate) introspection: Gate,
}

impl Gates {
    pub(crate) fn new(limits: TokenLimits) -> Self {
        Self { tokens: Gate::new(limits), introspection: Gate::new(limits.tenfold()) }
    }
}

impl Gate {
    fn new(limits: TokenLimits) -> Self {
        let (addresses, clients) = (Limits::default(), Limits::default());
        Self { limits, addresses, clients, next_warning: AtomicI64::new(i64::MIN) }
    }

    /// Tells the operator, at most once a minute, that all clients behind an unnamed proxy count as one address.
    pub(crate) fn suspect_proxy(&self, now: i64) {
        let due = self.next_warning.load(Ordering::Relaxed);
        let later = now.saturating_add(60_000);
        let swap = || self.next_warning.compare_exchange(due, later, Ordering::Relaxed, Ordering::Relaxed);
        if now >= due && swap().is_ok() {
            tracing::warn!(
                "requests for tokens were refused by address, and a proxy forwarded them: if it is yours, name it with --trusted-proxies"
            );
        }
    }

    /// Lets a request from `ip` through, or says after how many seconds to come again.
    pub(crate) fn pass_address(&self, ip: Option<IpAddr>, now: i64) -> Result<(), i64> {
        match ip {
            Some(ip) => pass(&self.addresses, subscriber(ip), self.limits.per_address, now),
            None => Ok(()),
        }
    }

    /// Lets a request of `client` through, or says after how many seconds to come again. What is no id of a
    /// client is counted by its address alone.
    pub(crate) fn pass_client(&self, client: &str, ip: Option<IpAddr>, now: i64) -> Result<(), i64> {
        match ClientId::parse(client) {
            Some(id) => pass(&self.clients, (id, ip.map(subscriber)), self.limits.per_client, now),
            None => Ok(()),
        }
    }
}

fn pass<N: Eq + std::hash::Hash>(limits: &Limits<N>, name: N, quota: u32, now: i64) -> Result<(), i64> {
    if quota == 0 {
        return Ok(());
    }
    let decision = limits.window(name, now).admit(quota, now);
    if decision.admitted { Ok(()) } else { Err(decision.reset) }
}
