//! The audit's chain: every node puts committed entries into their places, one node at a time, and anyone who may see
//! the audit can have the whole chain checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use orquiva_core::chain::{START, hex, link};
use orquiva_core::id::{AuditId, CompanyId};
use orquiva_core::seal::MasterKey;
use orquiva_core::{Secret, chain};
use orquiva_store::audit::chain::End;
use orquiva_store::audit::{Entry, Place, Placed};
use orquiva_store::{Store, StoreError, Tx, audit};
use serde::de::IgnoredAny;
use subtle::ConstantTimeEq as _;

use crate::app::{App, Exporting};
use crate::inside::Refused;

/// Entries that one transaction puts into their places: few, because the worker waits for it, and each company takes some
/// statements.
const MOST: i64 = 20;

/// Entries that a check holds in memory at once.
const PART: i64 = 500;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Every entry stands where it was put, as it was put there.
    Holds {
        /// How many there are.
        entries: i64,
        /// The last link, by which anyone may know the chain again.
        hash: String,
    },
    /// The chain breaks.
    Breaks {
        /// At which place.
        sequence: i64,
        /// Which entry stands there, if one does.
        id: Option<AuditId>,
        /// What is wrong with it.
        fault: Break,
    },
}

/// Why a chain breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// An entry is not there any more.
    Missing,
    /// An entry is not what it was, or one before it.
    Changed,
    /// The links were made anew: the end is not the one that was written under the master key.
    Forged,
}

/// Puts all that waits into its place; does nothing, and writes nothing, if nothing does.
pub(crate) async fn put(store: &Store, key: &Arc<MasterKey>) -> Result<(), StoreError> {
    while audit::chain::is_waited_for(&store.read().await?).await? {
        let key = key.clone();
        let put = move |tx: Tx| async move { put_some(&tx, &key).await };
        store.write::<_, StoreError, _, _>(None, put).await?;
    }
    Ok(())
}

async fn put_some(tx: &Tx, key: &MasterKey) -> Result<(), StoreError> {
    audit::chain::lock(tx).await?;
    let mut companies: BTreeMap<CompanyId, Vec<Entry>> = BTreeMap::new();
    for (company, entry) in audit::chain::waiting(tx, MOST).await? {
        companies.entry(company).or_default().push(entry);
    }
    for (company, entries) in companies {
        let end = audit::chain::end(tx, company).await?;
        let mut last = end.map_or(Place { sequence: 0, hash: START.to_vec() }, |end| end.place);
        let mut places = Vec::with_capacity(entries.len());
        for entry in &entries {
            let sequence = last.sequence + 1;
            last = Place { sequence, hash: link(&last.hash, &entry.line(company, Some(sequence))) };
            places.push((entry.id, last.clone()));
        }
        let tag = tag(key, company, &last);
        audit::chain::place(tx, company, &places, &End { place: last, tag }).await?;
    }
    Ok(())
}

/// What only the holder of the master key can make of an end.
fn tag(key: &MasterKey, company: CompanyId, end: &Place) -> Vec<u8> {
    key.hash(&Secret::new(format!("audit/{company}/{}/{}", end.sequence, hex(&end.hash))))
}

impl App {
    /// Puts what waits into its place, and keeps room for reading all of it: refused while another export of the company
    /// runs on this node, or too many of others.
    pub async fn export_audit(&self, company: CompanyId) -> Result<Exporting, Refused> {
        let running = self.export(company)?;
        put(&self.store, &self.key).await?;
        Ok(running)
    }

    /// Walks the whole chain of a company's audit; refused while it is being walked already.
    pub async fn check_audit(&self, company: CompanyId) -> Result<Finding, Refused> {
        let _running = self.export_audit(company).await?;
        let snapshot = self.store.snapshot().await?;
        let mut last = Place { sequence: 0, hash: chain::START.to_vec() };
        let end = snapshot.read(move |tx| async move { audit::chain::end(&tx, company).await }).await?;
        loop {
            let after = last.sequence;
            let next = move |tx| async move { audit::chain::walk(&tx, company, after, PART).await };
            let part = snapshot.read(next).await?;
            if part.is_empty() {
                break;
            }
            for placed in part {
                match follows(company, &last, &placed) {
                    Ok(place) => last = place,
                    Err(found) => return Ok(found),
                }
            }
        }
        Ok(ends(&self.key, company, last, end))
    }
}

/// The place of an entry, if it follows what came before.
fn follows(company: CompanyId, last: &Place, placed: &Placed) -> Result<Place, Finding> {
    let Placed { entry, place } = placed;
    let sequence = last.sequence + 1;
    let breaks = |id, fault| Err(Finding::Breaks { sequence, id, fault });
    let Some(place) = place else { return breaks(Some(entry.id), Break::Changed) };
    if place.sequence != sequence {
        return breaks(None, Break::Missing);
    }
    let line = entry.line(company, Some(sequence));
    // A line that is no JSON could be another one, cut elsewhere.
    let is_json = |text: &Option<String>| {
        text.as_ref().is_none_or(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
    };
    match is_json(&entry.before) && is_json(&entry.after) && link(&last.hash, &line) == place.hash {
        true => Ok(place.clone()),
        false => breaks(Some(entry.id), Break::Changed),
    }
}

/// What is to be said of a chain whose entries follow each other up to `last`.
fn ends(key: &MasterKey, company: CompanyId, last: Place, end: Option<End>) -> Finding {
    let breaks = |sequence, fault| Finding::Breaks { sequence, id: None, fault };
    match end {
        None if last.sequence == 0 => Finding::Holds { entries: 0, hash: hex(&last.hash) },
        None => breaks(last.sequence, Break::Forged),
        Some(End { place, .. }) if place.sequence > last.sequence => {
            breaks(last.sequence + 1, Break::Missing)
        }
        Some(End { place, tag: known }) => {
            let is_ours: bool = tag(key, company, &place).ct_eq(&known).into();
            match is_ours && place == last {
                true => Finding::Holds { entries: last.sequence, hash: hex(&last.hash) },
                false => breaks(last.sequence, Break::Forged),
            }
        }
    }
}
