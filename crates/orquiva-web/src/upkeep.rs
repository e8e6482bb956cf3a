//! What a node does of itself every few seconds: writes down what was counted, and forgets what is kept for a time.

use std::time::Duration;

use orquiva_store::{StoreError, client, token, usage};
use tokio::sync::watch;

use crate::tokens::Tokens;

/// How often counts are written down.
const WRITE: Duration = Duration::from_secs(5);

/// Every so many times, what is old is forgotten: once a minute.
const FORGET: u32 = 12;

/// Rows that one transaction writes, or forgets.
const MOST: usize = 1000;

impl Tokens {
    /// Writes down the use of clients every few seconds, and once more after `stop`, when the last request is
    /// answered.
    pub async fn keep(&self, mut stop: watch::Receiver<bool>) {
        let mut round = 0;
        while !*stop.borrow() {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                () = tokio::time::sleep(WRITE) => {}
            }
            if let Err(cause) = self.write_usage().await {
                tracing::warn!(%cause, "the use of clients could not be written down; it is kept for the next time");
            }
            let due = round % FORGET == 0 && !*stop.borrow();
            if due && let Err(cause) = self.forget().await {
                tracing::warn!(%cause, "what is old could not be forgotten");
            }
            round = round.wrapping_add(1);
        }
    }

    /// Writes down what was counted since the last time.
    pub async fn write_usage(&self) -> Result<(), StoreError> {
        let mut taken = self.usage.take();
        while !(taken.minutes.is_empty() && taken.uses.is_empty()) {
            let rest = taken.split(MOST);
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
                let minutes = usage::forget(&tx, now.plus(-usage::KEPT), MOST as i64).await?;
                // A node whose clock is behind may still have to refuse what has just ended.
                Ok(minutes.max(token::forget(&tx, now.plus(-60_000), MOST as i64).await?))
            };
            if self.store.write::<_, StoreError, _, _>(None, forget).await? < MOST as u64 {
                return Ok(());
            }
        }
    }
}
