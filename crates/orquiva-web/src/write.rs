//! A write: one transaction, and its answer kept under the request's idempotency key; or a rehearsal of it.

use orquiva_core::{Code, Scope, Timestamp};
use orquiva_people::Pen;
use orquiva_store::idempotency::{self, Key};
use orquiva_store::{Order, Tx};

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::terms::{Once, Terms};

impl App {
    /// Runs a verb in one transaction with the record of its answer: a repeat under the same
    /// idempotency key gets that answer, and nothing is done twice. A dry run is undone, and leaves the key alone.
    pub(crate) async fn write<F, R>(&self, caller: &Caller, terms: Terms, verb: F) -> Result<Answer, Problem>
    where
        F: FnOnce(Tx, Pen) -> R + Clone + Send + 'static,
        R: Future<Output = Result<Answer, Problem>> + Send,
    {
        self.write_in(Order::InTurn, caller, terms, verb).await
    }

    /// Writes as [`Self::write`] does, for a verb that only adds: beside others of its company that do the same.
    pub(crate) async fn add<F, R>(&self, caller: &Caller, terms: Terms, verb: F) -> Result<Answer, Problem>
    where
        F: FnOnce(Tx, Pen) -> R + Clone + Send + 'static,
        R: Future<Output = Result<Answer, Problem>> + Send,
    {
        self.write_in(Order::Beside, caller, terms, verb).await
    }

    async fn write_in<F, R>(
        &self,
        order: Order,
        caller: &Caller,
        terms: Terms,
        verb: F,
    ) -> Result<Answer, Problem>
    where
        F: FnOnce(Tx, Pen) -> R + Clone + Send + 'static,
        R: Future<Output = Result<Answer, Problem>> + Send,
    {
        let company = caller.company;
        let pen = Pen { company, actor: caller.actor, now: self.clock.now(), mint: self.mint.clone() };
        let Terms { once, dry_run } = terms;
        let note = caller.note.clone().filter(|_| !dry_run);
        let verb = |tx: Tx, pen: Pen| async move {
            let answer = verb(tx.clone(), pen.clone()).await?;
            if let Some(note) = note {
                note.add(&tx, &pen, &answer).await?;
            }
            Ok::<_, Problem>(answer)
        };
        let answer = match once {
            _ if dry_run => {
                let answer = self.store.rehearse(company, move |tx| verb(tx, pen)).await?;
                return Ok(Answer { dry_run, ..answer });
            }
            None => self.store.write_in(order, company, move |tx| verb(tx, pen)).await,
            Some(once) => self.write_once(order, caller, once, pen, verb).await,
        }?;
        self.wake.notify_one(); // only to be quick: the worker would find it anyway
        Ok(answer)
    }

    async fn write_once<F, R>(
        &self,
        order: Order,
        caller: &Caller,
        mut once: Once,
        pen: Pen,
        verb: F,
    ) -> Result<Answer, Problem>
    where
        F: FnOnce(Tx, Pen) -> R + Clone + Send + 'static,
        R: Future<Output = Result<Answer, Problem>> + Send,
    {
        if caller.may(Scope::EmployeesSensitiveRead) {
            // What this caller is shown is not repeated to one of the same client who may see less.
            once.fingerprint.push(b's');
        }
        let by = caller.actor.id().unwrap_or_default();
        let key = Key { company: caller.company, caller: by, text: once.key.clone() };
        let (app, now) = (self.clone(), pen.now);
        let _running = self.enter((key.company, key.caller.clone(), key.text.clone()))?;
        if let Some(known) = self.answered(&self.store.read().await?, &key, &once, now).await? {
            return Ok(known);
        }
        let (own, same) = (key.clone(), once.clone());
        let written = self.store.write_in(order, key.company, move |tx: Tx| async move {
            let answer = verb(tx.clone(), pen).await?;
            idempotency::keep(&tx, &own, &same.fingerprint, &app.seal(&same, &answer), now).await?;
            Ok(answer)
        });
        let refused = match written.await {
            Ok(answer) => return Ok(answer),
            Err(refused) => refused,
        };
        // Another node may have been quicker under the same key: then its answer is the answer, and the reason
        // for which we were refused is what it did.
        match self.store.read().await {
            Ok(tx) => self.answered(&tx, &key, &once, now).await?.ok_or(refused),
            Err(_) => Err(refused),
        }
    }

    /// The answer that was given under a key, if it was given to the same request.
    async fn answered(
        &self,
        tx: &Tx,
        key: &Key,
        once: &Once,
        now: Timestamp,
    ) -> Result<Option<Answer>, Problem> {
        match idempotency::find(tx, key, now.plus(-idempotency::KEPT)).await? {
            Some((fingerprint, kept)) if fingerprint == once.fingerprint => self.unseal(once, kept).map(Some),
            Some(_) => Err(Code::IdempotencyMismatch.into()),
            None => Ok(None),
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
        Ok(Answer { status, location, etag, body, replayed: true, ..Answer::default() })
    }
}
