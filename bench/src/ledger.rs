//! The ledger: what was promised against what is stored and what arrived. Nothing may be lost.

use crate::receiver::Counts;
use crate::server::Database;

/// What was promised, and what the receivers saw.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Hires that were answered with 201.
    pub(crate) acknowledged: u64,
    /// Deliveries that they owe: one for each endpoint of their company.
    pub(crate) owed: u64,
    /// Deliveries that arrived.
    pub(crate) received: u64,
    /// Different ones.
    pub(crate) distinct: u64,
}

impl Ledger {
    /// Adds what a receiver saw.
    pub(crate) fn arrived(&mut self, counts: Counts) {
        self.received += counts.received;
        self.distinct += counts.distinct;
    }

    /// Compares; returns the account in words and whether it balances.
    pub(crate) async fn close(&self, database: &Database) -> anyhow::Result<(Vec<String>, bool)> {
        let Self { acknowledged, owed, received, distinct } = *self;
        let employees = database.count("select count(*) from employee").await?;
        let events = database.count("select count(*) from event where type = 'employee.created'").await?;
        let placed = database.count("select count(*) from event where sequence is not null").await?;
        let all = database.count("select count(*) from event").await?;
        let deliveries = database.count("select count(*) from delivery").await?;
        let delivered = database.count("select count(*) from delivery where state = 'delivered'").await?;
        let waiting = database.count("select count(*) from delivery where state = 'waiting'").await?;
        let attempts = database.count("select count(*) from attempt").await?;
        let hires = acknowledged == employees && acknowledged == events;
        let sent = owed == deliveries && owed == delivered + waiting;
        let arrived = owed == distinct;
        let say = |balances: bool| if balances { "balances" } else { "DOES NOT BALANCE" };
        let lines = vec![
            format!(
                "Ledger, hires: acknowledged {acknowledged} = employees {employees} = events {events}; \
                 {placed} of all {all} events have their place: {}.",
                say(hires)
            ),
            format!(
                "Ledger, deliveries: owed {owed} = stored {deliveries} = delivered {delivered} + waiting {waiting}; \
                 attempts {attempts}: {}.",
                say(sent)
            ),
            format!(
                "Ledger, receipts: different {distinct} = owed {owed}; duplicates {}: {}.",
                received.saturating_sub(distinct),
                say(arrived)
            ),
        ];
        Ok((lines, hires && sent && arrived))
    }
}
