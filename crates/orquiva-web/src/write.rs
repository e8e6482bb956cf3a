//! A write: one transaction, and its answer kept under the request's idempotency key.

use orquiva_core::Code;
use orquiva_core::event::Actor;
use orquiva_people::Pen;
use orquiva_store::{Tx, idempotency};

use crate::answer::Answer;
use crate::app::App;
use crate::body::Once;
use crate::caller::Caller;
use crate::problem::Problem;

impl App {
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
