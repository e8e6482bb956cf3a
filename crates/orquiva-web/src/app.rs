//! What every handler works with.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use http::header;
use orquiva_core::dpop::Proof;
use orquiva_core::id::{CompanyId, Mint};
use orquiva_core::network::Networks;
use orquiva_core::seal::MasterKey;
use orquiva_core::webhook::address::Reach;
use orquiva_core::{Chance, Clock, Code, Timestamp};
use orquiva_store::Store;
use tokio::sync::Notify;

use crate::feed::Feed;
use crate::gate::{Gates, TokenLimits};
use crate::problem::Problem;
use crate::replay::Replays;
use crate::tokens::Tokens;

/// All that the web works with.
pub struct Parts {
    /// The database.
    pub store: Arc<Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
    /// The next ids.
    pub mint: Arc<Mint>,
    /// Seals and hashes secrets.
    pub key: Arc<MasterKey>,
    /// Access tokens.
    pub tokens: Arc<Tokens>,
    /// Rung after each commit that may have raised an event.
    pub wake: Arc<Notify>,
    /// Rung when events have got their place in the log.
    pub routed: Arc<Notify>,
    /// Where clients reach us, without a slash at the end.
    pub public_url: String,
    /// What webhooks may reach.
    pub reach: Reach,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Networks,
    /// How often tokens may be asked for.
    pub token_limits: TokenLimits,
}

/// The parts, shared by every request.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub(crate) struct Inner {
    parts: Parts,
    gates: Gates,
    replays: Replays,
    running: Mutex<HashSet<(CompanyId, String, String)>>,
    feed: Arc<Feed>,
    exports: Mutex<HashSet<CompanyId>>,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let gates = Gates::new(parts.token_limits);
        let Parts { store, clock, tokens, routed, .. } = &parts;
        let feed = Feed::new(store.clone(), clock.clone(), tokens.clone(), routed.clone());
        Self(Arc::new(Inner {
            parts,
            gates,
            replays: Replays::default(),
            running: Mutex::default(),
            exports: Mutex::default(),
            feed,
        }))
    }

    /// Who listens to events on this node.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.0.feed
    }

    /// Who may still ask for tokens.
    pub(crate) fn gates(&self) -> &Gates {
        &self.0.gates
    }

    /// Spends a proof of possession; false if it was spent before.
    pub(crate) fn spend_proof(&self, proof: &Proof, now: Timestamp) -> bool {
        self.0.replays.spend(proof, now)
    }

    /// Notes that a request under this key runs; refused while another one does.
    pub(crate) fn enter(&self, key: (CompanyId, String, String)) -> Result<Running, Problem> {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.insert(key.clone()) {
            true => Ok(Running(self.clone(), key)),
            false => Err(Code::IdempotencyInProgress.into()),
        }
    }

    /// Notes that an export of this company runs; refused while another one does, or too many of other companies.
    pub(crate) fn export(&self, company: CompanyId) -> Result<Exporting, Problem> {
        let mut exports = self.0.exports.lock().unwrap_or_else(PoisonError::into_inner);
        match exports.len() < EXPORTS || exports.contains(&company) {
            false => {
                Err(Problem::from(Code::Unavailable).with(header::RETRY_AFTER, &RETRY_EXPORT.to_string()))
            }
            true => match exports.insert(company) {
                true => Ok(Exporting(self.clone(), company)),
                false => Err(Code::ExportInProgress.into()),
            },
        }
    }
}

/// Seconds after which a node that makes too many exports is worth another try.
const RETRY_EXPORT: u64 = 5;

/// Most exports that a node makes at a time: each has a connection of its own.
const EXPORTS: usize = 8;

/// An export, for as long as it runs on this node.
pub struct Exporting(App, CompanyId);

impl Drop for Exporting {
    fn drop(&mut self) {
        self.0.0.exports.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// A request under an idempotency key, for as long as it runs on this node.
pub(crate) struct Running(App, (CompanyId, String, String));

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}
