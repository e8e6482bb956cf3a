//! What every handler works with.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use orquiva_core::event::Actor;
use orquiva_core::id::{ClientId, CompanyId, Mint};
use orquiva_core::seal::MasterKey;
use orquiva_core::{Chance, Clock, Code};
use orquiva_people::Pen;
use orquiva_store::{Store, Tx, idempotency};
use tokio::sync::Notify;

use crate::body::Once;
use crate::caller::Caller;
use crate::problem::Problem;
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
    /// Where clients reach us, without a slash at the end.
    pub public_url: String,
    /// Whether webhooks may go to plain `http` and inner networks.
    pub allow_private_webhooks: bool,
}

/// The parts, shared by every request.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub(crate) struct Inner {
    parts: Parts,
    running: Mutex<HashSet<(CompanyId, ClientId, String)>>,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

/// What a write answers. It is kept under the request's idempotency key.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) body: String,
    pub(crate) replayed: bool,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, running: Mutex::default() }))
    }

    /// Runs a verb in one transaction with the record of its answer: a repeat under the same
    /// idempotency key gets that answer, and nothing is done twice.
    pub(crate) async fn write<F, R>(
        &self,
        caller: &Caller,
        once: Option<Once>,
        verb: F,
    ) -> Result<Answer, Problem>
    where
        F: FnOnce(Tx, Pen) -> R + Send + 'static,
        R: Future<Output = Result<Answer, Problem>> + Send,
    {
        let (company, client) = (caller.company, caller.client);
        let pen = Pen {
            company,
            actor: Actor::Client { id: client },
            now: self.clock.now(),
            mint: self.mint.clone(),
        };
        let running =
            once.as_ref().map(|once| self.enter((company, client, once.key.clone()))).transpose()?;
        let app = self.clone();
        let answer = self
            .store
            .write(company, move |tx: Tx| async move {
                let Some(once) = once else { return verb(tx, pen).await };
                let now = pen.now;
                let known =
                    idempotency::find(&tx, company, client, &once.key, now.plus(-idempotency::KEPT)).await?;
                if let Some((fingerprint, kept)) = known {
                    return match fingerprint == once.fingerprint {
                        true => app.unseal(&once, kept),
                        false => Err(Code::IdempotencyMismatch.into()),
                    };
                }
                let answer = verb(tx.clone(), pen).await?;
                let kept = app.seal(&once, &answer);
                idempotency::keep(&tx, company, client, &once.key, &once.fingerprint, &kept, now).await?;
                Ok(answer)
            })
            .await?;
        drop(running);
        self.wake.notify_one(); // only to be quick: the worker would find it anyway
        Ok(answer)
    }

    fn enter(&self, key: (CompanyId, ClientId, String)) -> Result<Running, Problem> {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.insert(key.clone()) {
            true => Ok(Running(self.clone(), key)),
            false => Err(Code::IdempotencyInProgress.into()),
        }
    }

    fn seal(&self, once: &Once, answer: &Answer) -> idempotency::Answer {
        let Answer { status, location, etag, body, .. } = answer;
        let body = self.key.seal(body.as_bytes(), &once.place(), self.chance.as_ref());
        idempotency::Answer { status: *status, location: location.clone(), etag: etag.clone(), body }
    }

    fn unseal(&self, once: &Once, kept: idempotency::Answer) -> Result<Answer, Problem> {
        let body = self.key.open(&kept.body, &once.place()).map_err(Problem::internal)?;
        let body = String::from_utf8(body.to_vec()).map_err(Problem::internal)?;
        let idempotency::Answer { status, location, etag, .. } = kept;
        Ok(Answer { status, location, etag, body, replayed: true })
    }
}

/// A request under an idempotency key, for as long as it runs on this node.
struct Running(App, (CompanyId, ClientId, String));

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}
