//! One engine on the bench: its database, the server over it, and the companies that work with it.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;

use crate::ledger::Ledger;
use crate::load::{Connection, Done, Fill, Hires, Load, request};
use crate::machine::Meter;
use crate::open_loop::hires_in;
use crate::postgres::Postgres;
use crate::server::{Account, Database, Server, create_accounts, fetch_tokens};

/// Companies that requests are spread over: so many that no rate which this machine can make brings one of them
/// over the 10,000 requests a minute of its plan.
const MANY: usize = 640;

/// Those of them that hire: enough for 40,000 hires a second.
pub(crate) const HIRING: usize = 256;

/// Those of them that are listed, and how many employees each of these has.
const LISTED: usize = 128;
const EMPLOYEES: usize = 60;

/// Companies with one endpoint, and with ten.
const WITH_ONE: usize = 16;
const WITH_TEN: usize = 16;

/// Companies in which latencies are measured: one, and five more for a greater pace.
const QUIET: usize = 6;

/// How long and how often.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) seconds: u64,
    pub(crate) rounds: usize,
}

impl Pace {
    pub(crate) fn time(self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// Where everything is: the server's program, and a folder on a real disk for what is made on the way.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) program: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) postgres: Option<Rc<Postgres>>,
}

/// The companies, each for one purpose.
pub(crate) struct Companies {
    pub(crate) many: Vec<Account>,
    /// One a round, for bursts.
    pub(crate) bursts: Vec<Account>,
    pub(crate) with_one: Vec<Account>,
    pub(crate) with_ten: Vec<Account>,
    /// One that hires at an easy pace, and those that do so five times as fast together.
    pub(crate) quiet: Vec<Account>,
}

/// Everything that a scenario works with.
pub(crate) struct Bench {
    pub(crate) pace: Pace,
    pub(crate) place: Place,
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) companies: Companies,
    pub(crate) ledger: Ledger,
    /// The number of the next hire.
    pub(crate) number: Arc<AtomicU64>,
}

impl Place {
    /// Whose CPU time counts as the product's: this server's, and that of PostgreSQL's processes on this machine.
    pub(crate) fn meter(&self, server: u32) -> Meter {
        let postmaster = self.postgres.as_ref().and_then(|postgres| postgres.postmaster);
        Meter { servers: [server].into_iter().chain(postmaster).collect(), generators: Vec::new() }
    }
}

impl Bench {
    /// Makes the companies and their first employees, and starts the server.
    pub(crate) async fn set_up(place: Place, pace: Pace) -> anyhow::Result<Self> {
        let database = Database::make(&place).await?;
        let count = MANY + pace.rounds + WITH_ONE + WITH_TEN + QUIET;
        let mut accounts = create_accounts(&database.open().await?, count).await?;
        let server = Server::start(&place.program, &database).await?;
        fetch_tokens(server.at, &mut accounts).await?;
        let mut accounts = accounts.into_iter();
        let mut take = |count| accounts.by_ref().take(count).collect::<Vec<_>>();
        let companies = Companies {
            many: take(MANY),
            bursts: take(pace.rounds),
            with_one: take(WITH_ONE),
            with_ten: take(WITH_TEN),
            quiet: take(QUIET),
        };
        let (ledger, number) = (Ledger::default(), Arc::default());
        let mut bench = Self { pace, place, server, database, companies, ledger, number };
        bench.staff().await?;
        Ok(bench)
    }

    /// Hires the first employees: one in each company, more in those that are listed.
    async fn staff(&mut self) -> anyhow::Result<()> {
        let hires: Vec<_> = self.companies.many.iter().map(|account| Hires::of(&account.token)).collect();
        let (turn, number) = (AtomicU64::new(0), self.number.clone());
        let fill: Fill = Arc::new(move |_, out| {
            let turn = turn.fetch_add(1, Ordering::Relaxed) as usize;
            let company = if turn < MANY { turn } else { turn % LISTED };
            hires[company].write(number.fetch_add(1, Ordering::Relaxed), out);
        });
        let most = (MANY + LISTED * (EMPLOYEES - 1)) as u64;
        self.hire(fill, Duration::from_secs(120), most).await?;
        Ok(())
    }

    pub(crate) fn is_embedded(&self) -> bool {
        self.place.postgres.is_none()
    }

    /// The next request of each of these companies in turn.
    pub(crate) fn hires_in(&self, accounts: &[Account]) -> Fill {
        hires_in(accounts, self.number.clone())
    }

    /// The number of the next hire.
    pub(crate) fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Hires in a closed loop, and writes down what was acknowledged.
    pub(crate) async fn hire(&mut self, fill: Fill, time: Duration, most: u64) -> anyhow::Result<Done> {
        let done = Load { at: self.server.at, time, most, expect: 201, fill }.run().await?;
        self.ledger.acknowledged += done.answers;
        Ok(done)
    }

    /// Requests for the one employee that each company hired first.
    pub(crate) async fn get_requests(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut connection = Connection::open(self.server.at).await?;
        let mut requests = Vec::new();
        for account in &self.companies.many {
            let list = request("GET", "/v1/employees?limit=1", &account.token, "", "");
            let list = connection.call(&list, 200).await?;
            let id = list["data"][0]["id"].as_str().context("the company has no employee")?;
            requests.push(request("GET", &format!("/v1/employees/{id}"), &account.token, "", ""));
        }
        Ok(requests)
    }

    /// Requests for the first 50 employees of each company that has as many.
    pub(crate) fn list_requests(&self) -> Vec<Vec<u8>> {
        let list = |account: &Account| request("GET", "/v1/employees?limit=50", &account.token, "", "");
        self.companies.many[..LISTED].iter().map(list).collect()
    }

    /// What the server uses.
    pub(crate) fn meter(&self) -> Meter {
        self.place.meter(self.server.id())
    }

    /// Waits until every event has its place.
    pub(crate) async fn settle_events(&self) -> anyhow::Result<()> {
        self.database.settle("event", "sequence is null").await
    }

    /// Waits until every delivery is recorded.
    pub(crate) async fn settle_deliveries(&self) -> anyhow::Result<()> {
        self.settle_events().await?;
        self.database.settle("delivery", "state = 'waiting'").await
    }

    /// The server's log, as far as someone should look at it.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let all = self.server.complaints();
        let first = all.iter().take(5).map(|line| format!("    {line}"));
        match all.is_empty() {
            true => Vec::new(),
            false => {
                [format!("The server complained {} times:\n", all.len())].into_iter().chain(first).collect()
            }
        }
    }
}

/// Sends these requests in turn.
pub(crate) fn in_turn(requests: Vec<Vec<u8>>) -> Fill {
    let turn = AtomicU64::new(0);
    Arc::new(move |_, out| {
        let turn = turn.fetch_add(1, Ordering::Relaxed) as usize;
        out.extend_from_slice(&requests[turn % requests.len()]);
    })
}

/// The folder of this program, and the one above it: the build folder, which lies on a real disk.
pub(crate) fn folders() -> anyhow::Result<(PathBuf, PathBuf)> {
    let program = std::env::current_exe()?;
    let folder = program.parent().context("this program lies nowhere")?;
    let target = folder.parent().unwrap_or(Path::new("."));
    Ok((folder.to_owned(), target.to_owned()))
}
