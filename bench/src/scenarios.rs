//! Tokens, reads, hires and memory, each beside its limit in the same rounds.

use std::time::Duration;

use crate::bare::Bare;
use crate::bench::{Bench, HIRING, in_turn};
use crate::load::{Connection, Done, Fill, Load};
use crate::machine::{Meter, memory};
use crate::rows::Rows;
use crate::server::{Database, Server};
use crate::table::{Row, Sample, Series, grouped, median};

/// Most hires of one company in a burst: its plan lets 10,000 requests through in a minute.
const BURST: u64 = 9_000;

/// Hires a transaction of SQLite's limit.
const GROUP: u64 = 64;

/// `POST /oauth/token`.
pub(crate) async fn tokens(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let requests = bench.companies.many.iter().map(|account| account.token_request()).collect();
    let bare = Bare::start(0)?;
    let (ours, limit) = beside_bare(bench, &bare, in_turn(requests), Bare::token_request()).await?;
    let cpu = ours.servers() / limit.servers();
    let row = Row::rates("token", "", &ours, Some(("bare signer", &limit)));
    Ok(vec![row.target("aim: CPU ≤ 1.5 × the bare signer", cpu <= 1.5)])
}

/// `GET /v1/employees/{id}`.
pub(crate) async fn get(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let requests = bench.get_requests().await?;
    let (ours, limit) = read(bench, requests).await?;
    let cpu = ours.servers() / limit.servers();
    let row = Row::rates("get one", "", &ours, Some(("bare answer", &limit)));
    Ok(vec![match bench.is_embedded() {
        true => row
            .target("CPU ≤ 5 × the bare answer", cpu <= 5.0)
            .target("aim: CPU ≤ 3 × the bare answer", cpu <= 3.0),
        false => row.target("aim: CPU ≤ 0.059 s", ours.servers() <= 0.059),
    }])
}

/// `GET /v1/employees?limit=50`.
pub(crate) async fn list(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let (ours, limit) = read(bench, bench.list_requests()).await?;
    let row = Row::rates("list 50", "", &ours, Some(("bare answer", &limit)));
    Ok(vec![match bench.is_embedded() {
        true => row.target("aim: ≥ 14,000/s", ours.rate() >= 14_000.0),
        false => row.target("aim: ≥ 7,000/s", ours.rate() >= 7_000.0),
    }])
}

/// Our reads beside a constant answer of the same length.
async fn read(bench: &Bench, requests: Vec<Vec<u8>>) -> anyhow::Result<(Series, Series)> {
    let mut connection = Connection::open(bench.server.at).await?;
    connection.call(&requests[0], 200).await?;
    let bare = Bare::start(connection.body_length())?;
    let ours = String::from_utf8_lossy(&requests[0]);
    let (_, headers) = ours.split_once(" HTTP/1.1").unwrap_or_default();
    let constant = format!("GET /constant HTTP/1.1{headers}");
    beside_bare(bench, &bare, in_turn(requests), constant.into_bytes()).await
}

async fn beside_bare(
    bench: &Bench,
    bare: &Bare,
    fill: Fill,
    constant: Vec<u8>,
) -> anyhow::Result<(Series, Series)> {
    let (mut ours, mut limit) = (Series::default(), Series::default());
    let least = Meter { servers: vec![bare.id()], ..Meter::default() };
    let constant = in_turn(vec![constant]);
    for _ in 0..bench.pace.rounds {
        for (at, meter, fill, series) in [
            (bench.server.at, bench.meter(), &fill, &mut ours),
            (bare.at, least.clone(), &constant, &mut limit),
        ] {
            let load = Load { at, time: bench.pace.time(), most: u64::MAX, expect: 200, fill: fill.clone() };
            let before = meter.read()?;
            let done = load.run().await?;
            series.push(Sample::of(done.answers, done.time, meter.since(before)?));
        }
        eprintln!("  {}/s beside {}/s", grouped(ours.last_rate()), grouped(limit.last_rate()));
    }
    Ok((ours, limit))
}

/// `POST /v1/employees`, in many companies and in one.
pub(crate) async fn hire(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let mut limit = Limit::of(bench).await?;
    let (mut many, mut one) = (Series::default(), Series::default());
    let (mut slowest, mut slowest_of_one) = (Vec::new(), Vec::new());
    for round in 0..bench.pace.rounds {
        let fill = bench.hires_in(&bench.companies.many[..HIRING]);
        slowest.push(hires(bench, fill, u64::MAX, &mut many).await?);
        limit.round(bench, round as u64)?;
        let fill = bench.hires_in(&bench.companies.bursts[round..=round]);
        slowest_of_one.push(hires(bench, fill, BURST, &mut one).await?);
        let [many, least, one] = [&many, &limit.best, &one].map(|side| grouped(side.last_rate()));
        eprintln!("  many {many}/s, one {one}/s beside {least}/s");
    }
    let p99 = |times: Vec<f64>| format!(" (p99 {:.0} ms)", median(times));
    let (note, note_of_one) = (p99(slowest), p99(slowest_of_one));
    let ratio = many.rate() / limit.best.rate();
    let row = Row::rates("hire, many companies", &note, &many, Some((limit.name, &limit.best)));
    let mut rows = Vec::new();
    if bench.is_embedded() {
        let row = row.target("≥ 5,000/s", many.rate() >= 5_000.0);
        rows.push(row.target("aim: ≥ 8,000/s", many.rate() >= 8_000.0));
        let alone = Some(("one hire a transaction", &limit.alone));
        rows.push(Row::rates("hire, many companies, again", &note, &many, alone));
    } else {
        let row = row.target("≥ 0.6 × pgbench", ratio >= 0.6);
        rows.push(row.target("aim: ≥ 0.9 × pgbench", ratio >= 0.9));
    }
    let half = one.rate() / many.rate() >= 0.5;
    let row = Row::rates("hire, one company", &note_of_one, &one, Some(("many companies", &many)));
    rows.push(row.target("aim: ≥ 0.5 × many", half));
    Ok(rows)
}

/// Hires for one round; the CPU time counts until every event has its place. Returns the p99 in milliseconds.
async fn hires(bench: &mut Bench, fill: Fill, most: u64, series: &mut Series) -> anyhow::Result<f64> {
    let meter = bench.meter();
    let before = meter.read()?;
    let Done { answers, time, latencies, .. } = bench.hire(fill, bench.pace.time(), most).await?;
    bench.settle_events().await?;
    series.push(Sample::of(answers, time, meter.since(before)?));
    Ok(f64::from(latencies[latencies.len() * 99 / 100]) / 1000.0)
}

/// The rows of a hire, written by the least that can write them.
struct Limit {
    name: &'static str,
    rows: Rows,
    database: Database,
    /// In groups, or by pgbench.
    best: Series,
    /// One hire a transaction.
    alone: Series,
}

impl Limit {
    async fn of(bench: &Bench) -> anyhow::Result<Self> {
        let rows = Rows::read(&bench.database).await?;
        let database = Database::make(&bench.place).await?;
        drop(database.open().await?); // it has the schema now
        let name = if bench.is_embedded() { "64 hires a transaction, one thread" } else { "pgbench" };
        Ok(Self { name, rows, database, best: Series::default(), alone: Series::default() })
    }

    fn round(&mut self, bench: &Bench, round: u64) -> anyhow::Result<()> {
        let base = round * 1_000_000_000;
        let Some(postgres) = &bench.place.postgres else {
            for (group, base, series) in
                [(GROUP, base, &mut self.best), (1, base + 500_000_000, &mut self.alone)]
            {
                // The work is done by this very program, so that is whose CPU time counts.
                let meter = Meter::default();
                let before = meter.read()?;
                let (hires, time) =
                    self.rows.insert(&self.database.file(), base, group, bench.pace.time())?;
                let mut used = meter.since(before)?;
                (used.servers, used.generators) = (used.generators, 0.0);
                series.push(Sample::of(hires, time, used));
            }
            return Ok(());
        };
        let meter = Meter { servers: postgres.postmaster.into_iter().collect(), ..Meter::default() };
        let script = self.rows.pgbench_script(self.database.folder())?;
        let before = meter.read()?;
        let (hires, rate) = postgres.pgbench(self.database.url()?, &script, base, bench.pace.seconds)?;
        let time = Duration::from_secs_f64(hires as f64 / rate);
        self.best.push(Sample::of(hires, time, meter.since(before)?));
        Ok(())
    }
}

/// What an idle server takes, one after the load, and how long one takes to start on what the load left behind.
pub(crate) async fn memory_and_start(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let empty = Database::make(&bench.place).await?;
    let fresh = Server::start(&bench.place.program, &empty).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let idle = memory(fresh.id(), "VmRSS")?;
    drop(fresh);
    let (after, most) = (memory(bench.server.id(), "VmRSS")?, memory(bench.server.id(), "VmHWM")?);
    let mut starts = Vec::new();
    for _ in 0..bench.pace.rounds {
        bench.server.stop();
        bench.server = Server::start(&bench.place.program, &bench.database).await?;
        starts.push(bench.server.started_in.as_secs_f64());
    }
    let start = median(starts);
    let mebibytes = |amount: f64| format!("{amount:.1} MiB");
    Ok(vec![
        Row::figure("idle memory, empty database, after 3 s", mebibytes(idle))
            .target("≤ 60 MiB", idle <= 60.0)
            .target("aim: ≤ 40 MiB", idle <= 40.0),
        Row::figure(
            "memory after the load; at its most",
            format!("{}; {}", mebibytes(after), mebibytes(most)),
        )
        .target("aim: ≤ 80 MiB", most <= 80.0),
        Row::figure("start to first answer, existing database", format!("{start:.3} s"))
            .target("aim: ≤ 0.3 s", start <= 0.3),
    ])
}
