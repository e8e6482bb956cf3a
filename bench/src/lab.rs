//! A server with a database of its own, for scenarios that would spoil the figures of others.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::bench::Place;
use crate::load::{Done, Fill, Load};
use crate::machine::Meter;
use crate::open_loop::{Sent, hires_in, open_loop};
use crate::server::{Account, Database, Server, create_accounts, fetch_tokens};

/// A server, its companies, and nothing else.
pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) accounts: Vec<Account>,
    pub(crate) numbers: Arc<AtomicU64>,
    place: Place,
}

impl Lab {
    /// Starts one with so many companies.
    pub(crate) async fn start(place: &Place, companies: usize) -> anyhow::Result<Self> {
        let database = Database::make(place).await?;
        let mut accounts = create_accounts(&database.open().await?, companies).await?;
        let server = Server::start(&place.program, &database).await?;
        fetch_tokens(server.at, &mut accounts).await?;
        Ok(Self { server, database, accounts, numbers: Arc::default(), place: place.clone() })
    }

    /// Starts the server again, after it was killed. It has another port, so it is another issuer of tokens.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        self.server = Server::start(&self.place.program, &self.database).await?;
        fetch_tokens(self.server.at, &mut self.accounts).await
    }

    pub(crate) fn meter(&self) -> Meter {
        self.place.meter(self.server.id())
    }

    /// Gives a company an endpoint; its id.
    pub(crate) async fn subscribe(&self, company: usize, url: &str) -> anyhow::Result<String> {
        self.accounts[company].subscribe(self.server.at, url).await
    }

    /// Hires in an open loop in these companies.
    pub(crate) async fn hire(
        &self,
        companies: std::ops::Range<usize>,
        rate: f64,
        time: Duration,
    ) -> anyhow::Result<Vec<Sent>> {
        open_loop(self.server.at, &self.accounts[companies], rate, time, &self.numbers).await
    }

    /// The next request of each of these companies in turn.
    pub(crate) fn hires_in(&self, companies: std::ops::Range<usize>) -> Fill {
        hires_in(&self.accounts[companies], self.numbers.clone())
    }

    /// Hires in a closed loop.
    pub(crate) async fn hire_at_once(&self, fill: Fill, time: Duration, most: u64) -> anyhow::Result<Done> {
        Load { at: self.server.at, time, most, expect: 201, fill }.run().await
    }
}
