//! What takes long to count and stays as it is until the company's log goes on: every change to its people is told there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use orquiva_core::id::CompanyId;
use orquiva_store::{StoreError, Tx, event};

/// Most companies of which something is kept.
const MOST: usize = 1_000;

/// What was counted of a company, and where its log ended before.
#[derive(Debug)]
pub(crate) struct Kept<T>(Mutex<HashMap<CompanyId, (i64, T)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Kept<T> {
    /// What `count` counts of a company, if something happened since it was counted last.
    pub(crate) async fn get(
        &self,
        tx: &Tx,
        company: CompanyId,
        count: impl AsyncFnOnce(&Tx) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Some(end) = event::end_at_rest(tx, company).await? else { return count(tx).await };
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counted)) = known().get(&company).filter(|(at, _)| *at == end) {
            return Ok(counted.clone());
        }
        let counted = count(tx).await?;
        let mut known = known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(company, (end, counted.clone()));
        Ok(counted)
    }
}
