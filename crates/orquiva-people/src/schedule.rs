//! The scheduler: carries out what lay ahead when its day has come. Every node runs one. Each looks for what is due,
//! of all companies, and carries it out in a write of its company, where the row itself says whether that is still to
//! be done: so it is done once, and what fell due while nobody ran is done at the next start.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use orquiva_core::Clock;
use orquiva_core::event::Actor;
use orquiva_core::id::{CompanyId, EmployeeId, Mint};
use orquiva_store::{Store, StoreError, employee};
use tokio::sync::{Notify, watch};

use crate::employment::carry_out;
use crate::pen::{Pen, Refusal};

/// How often it looks.
const POLL: Duration = Duration::from_secs(1);

/// Most employees that are taken up at a time: few enough not to hold up a hire.
const MOST: usize = 256;

/// Carries out what is due.
#[derive(Clone)]
pub struct Scheduler {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    mint: Arc<Mint>,
    /// Rung after what was carried out has raised events.
    wake: Arc<Notify>,
}

impl Scheduler {
    /// A scheduler at rest.
    pub fn new(store: Arc<Store>, clock: Arc<dyn Clock>, mint: Arc<Mint>, wake: Arc<Notify>) -> Self {
        Self { store, clock, mint, wake }
    }

    /// Works until `stop` says so.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Err(cause) = self.step().await {
                tracing::error!(%cause, "what is due on this day could not be looked for; it waits");
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Carries out all that is due at this moment; returns for how many employees.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let mut all = 0;
        loop {
            let today = self.clock.now().date();
            let due = employee::due(&self.store.read().await?, today, MOST as i64).await?;
            let found = due.len();
            let done = join_all(due.into_iter().map(|(company, id)| self.carry_out(company, id))).await;
            let done = done.into_iter().filter(|done| *done).count();
            if done > 0 {
                self.wake.notify_one();
            }
            all += done;
            if found < MOST || done == 0 {
                return Ok(all);
            }
        }
    }

    /// Whether it was done now, and by this node. A failure is told, and it is tried again.
    async fn carry_out(&self, company: CompanyId, id: EmployeeId) -> bool {
        let pen = Pen { company, actor: Actor::System, now: self.clock.now(), mint: self.mint.clone() };
        let verb = move |tx| async move { carry_out(&tx, &pen, id).await };
        match self.store.write(company, verb).await {
            Ok(done) => done,
            // Another node, or a client, was quicker.
            Err(Refusal::Overtaken | Refusal::Store(StoreError::NotFound)) => false,
            Err(cause) => {
                tracing::error!(%cause, company.id = %company, employee.id = %id, "what is due on this day was not carried out; it waits");
                false
            }
        }
    }
}
