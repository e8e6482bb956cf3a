//! What a node does of itself every few seconds: writes down what was counted, puts entries of the audit into their
//! places, and forgets what is kept for a time.

use std::time::Duration;

use orquiva_store::{StoreError, client, token, usage};
use tokio::sync::watch;

use crate::tokens::Tokens;

/// How often counts are written down.
const WRITE: Duration = Duration::from_secs(5);

/// Every so many times, what is old is forgotten: once a minute.
const FORGET: u32 = 12;

/// Rows of each kind that one transaction writes: few, because requests wait for it.
const MOST_WRITTEN: usize = 50;

/// Rows of each kind that one transaction forgets.
const MOST_FORGOTTEN: i64 = 1000;

impl Tokens {
    /// Writes down the use of clients every few seconds, and once more after `stop`, when the last request is
    /// answered.
    pub async fn keep(&self, mut stop: watch::Receiver<bool>) {
        for round in 0_u32.. {
            let stopped = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => true,
                () = tokio::time::sleep(WRITE) => false,
            };
            if let Err(cause) = self.write_down(stopped).await {
                tracing::warn!(%cause, "the use of clients could not be written down; it is kept for the next time");
            }
            if let Err(cause) = crate::chain::put(&self.store, self.master()).await {
                tracing::warn!(%cause, "entries of the audit wait for their places in the chain until the next time");
            }
            if stopped {
                return;
            }
            if round % FORGET == 0
                && let Err(cause) = self.forget().await
            {
                tracing::warn!(%cause, "what is old could not be forgotten");
            }
        }
    }

    /// Writes down all that was counted since the last time.
    pub async fn write_usage(&self) -> Result<(), StoreError> {
        self.write_down(true).await
    }

    async fn write_down(&self, last_time: bool) -> Result<(), StoreError> {
        let mut taken = self.usage.take(last_time);
        while !(taken.minutes.is_empty() && taken.uses.is_empty()) {
            let rest = taken.split(MOST_WRITTEN);
            let (minutes, uses) = (taken.minutes.clone(), taken.uses.clone());
            let write = move |tx| async move {
                usage::add(&tx, &minutes).await?;
                client::used(&tx, &uses).await
            };
            if let Err(error) = self.store.write::<_, StoreError, _, _>(None, write).await {
                self.usage.give_back(taken);
                self.usage.give_back(rest);
                return Err(error);
            }
            taken = rest;
        }
        Ok(())
    }

    /// Forgets counts of more than 30 days ago, and revoked tokens and spent assertions that have ended.
    pub async fn forget(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        loop {
            let forget = move |tx| async move {
                let minutes = usage::forget(&tx, now.plus(-usage::KEPT), MOST_FORGOTTEN).await?;
                // A node whose clock is behind may still have to refuse what has just ended.
                Ok(minutes.max(token::forget(&tx, now.plus(-60_000), MOST_FORGOTTEN).await?))
            };
            if self.store.write::<_, StoreError, _, _>(None, forget).await? < MOST_FORGOTTEN as u64 {
                return Ok(());
            }
        }
    }
}
