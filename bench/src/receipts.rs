//! From a hire to the receipt of its webhook: how many, at what cost, and how soon.

use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::load::Done;
use crate::machine::now;
use crate::open_loop::{Arrivals, Percentiles, open_loop};
use crate::poster;
use crate::receiver::{Counts, Receiver};
use crate::table::{Row, Sample, Series, grouped};

/// How long nothing may arrive before what is missing counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long hires are sent before it is measured how soon they arrive.
const FIRST: Duration = Duration::from_secs(1);

/// Deliveries while 64 clients hire, to companies with one endpoint and with ten.
pub(crate) async fn receipts(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let (one, ten) = (bench.companies.with_one.len(), bench.companies.with_ten.len() * 10);
    let mut receiver = Receiver::start(one + ten).await?;
    let mut rows = vec![fan_out(bench, &mut receiver, 1).await?];
    rows.push(fan_out(bench, &mut receiver, 10).await?);
    bench.ledger.arrived(receiver.counts().await?);
    Ok(rows)
}

async fn fan_out(bench: &mut Bench, receiver: &mut Receiver, endpoints: usize) -> anyhow::Result<Row> {
    let companies = if endpoints == 1 { &bench.companies.with_one } else { &bench.companies.with_ten };
    let first = if endpoints == 1 { 0 } else { bench.companies.with_one.len() };
    for (at, account) in companies.iter().enumerate() {
        for endpoint in first + at * endpoints..first + (at + 1) * endpoints {
            let url = format!("http://127.0.0.1:{}/{endpoint}", receiver.ports[endpoint]);
            account.subscribe(bench.server.at, &url).await?;
        }
    }
    let (fill, all) = (bench.hires_in(companies), companies.len() * endpoints);
    let mut meter = bench.meter();
    meter.generators.push(receiver.id());
    // With ten endpoints the hires are far ahead of the deliveries: the backlog stays bounded.
    let most = if endpoints == 1 { u64::MAX } else { 2_500 * bench.pace.seconds };
    let (mut deliveries, mut hired, mut limit) = (Series::default(), Series::default(), Series::default());
    for _ in 0..bench.pace.rounds {
        let before = receiver.counts().await?;
        let used = meter.read()?;
        let Done { answers, start, time, .. } = bench.hire(fill.clone(), bench.pace.time(), most).await?;
        let owed = answers * endpoints as u64;
        bench.ledger.owed += owed;
        let last = await_all(receiver, before.distinct + owed).await?;
        bench.settle_deliveries().await?;
        let used = meter.since(used)?;
        deliveries.push(Sample::of(owed, last - start, used));
        hired.push(Sample::of(answers, time, used));
        limit.push(poster::post(all, bench.pace.time()).await?);
        let [all, hires, least] = [&deliveries, &hired, &limit].map(|side| grouped(side.last_rate()));
        eprintln!("  {all} deliveries/s, {hires} hires/s beside {least}/s");
    }
    let (rate, cpu) = (deliveries.rate(), deliveries.servers());
    let what = format!("hire → receipt, endpoints a company: {endpoints}");
    let note = format!(" ({} hires/s)", grouped(hired.rate()));
    let row = Row::rates(&what, &note, &deliveries, Some(("a client that only signs and posts", &limit)));
    let at_least = |row: Row, text: &str, least: f64| row.target(text, rate >= least);
    let (row, most) = match (bench.is_embedded(), endpoints) {
        (true, 1) => (at_least(at_least(row, "≥ 3,000/s", 3e3), "aim: ≥ 4,850/s", 4_850.0), 0.25),
        (true, _) => (at_least(at_least(row, "≥ 10,000/s", 1e4), "aim: ≥ 16,300/s", 16_300.0), 0.08),
        (false, 1) => (at_least(row, "aim: ≥ 3,880/s", 3_880.0), 0.5),
        (false, _) => (at_least(row, "aim: ≥ 13,040/s", 13_040.0), 0.15),
    };
    Ok(row.target(&format!("aim: CPU ≤ {most} s"), cpu <= most))
}

/// Waits until `owed` different deliveries have arrived, or nothing more does; returns when the last one came.
async fn await_all(receiver: &mut Receiver, owed: u64) -> anyhow::Result<Instant> {
    loop {
        let Counts { distinct, quiet, .. } = receiver.counts().await?;
        if distinct >= owed {
            return Ok(now() - quiet);
        }
        if quiet > PATIENCE {
            eprintln!("  {} deliveries did not arrive", owed - distinct);
            return Ok(now() - quiet);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// From hires at random moments to their receipts, on a server that has nothing else to do.
pub(crate) async fn latency(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let (easy, brisk) = bench.companies.quiet.split_at(1);
    let paces = [(easy, 100.0), (brisk, 500.0)];
    let time = (bench.pace.time() * 5).min(Duration::from_secs(60));
    let mut rows = Vec::new();
    bench.database.clean_up().await?; // what the filling left behind is not the hires' to wait for
    for (accounts, rate) in paces {
        let mut arrivals = Arrivals::default();
        let url = arrivals.endpoint().await?;
        for account in accounts {
            account.subscribe(bench.server.at, &url).await?;
        }
        // The first ones find neither a lane that is held nor a statement that is prepared.
        let first = open_loop(bench.server.at, accounts, rate, FIRST, &bench.number).await?;
        let sent = open_loop(bench.server.at, accounts, rate, time, &bench.number).await?;
        bench.settle_deliveries().await?;
        bench.ledger.acknowledged += (first.len() + sent.len()) as u64;
        bench.ledger.owed += (first.len() + sent.len()) as u64;
        let (received, distinct) = arrivals.counts();
        bench.ledger.arrived(Counts { received, distinct, ..Counts::default() });
        let receipts = Percentiles::of(arrivals.times(&sent, &[0]))?;
        let hires = Percentiles::of(sent.iter().map(|sent| sent.took).collect())?;
        let rate = sent.len() as f64 / time.as_secs_f64();
        eprintln!("  {rate:.0}/s: {}", receipts.shown());
        rows.push(Row::figure(&format!("hire, {rate:.0}/s, quiet"), hires.shown()));
        let row = Row::figure(&format!("hire → receipt, {rate:.0}/s, quiet"), receipts.shown());
        let (most_50, most_99) = if bench.is_embedded() { (1.5, 5.0) } else { (2.5, 8.0) };
        rows.push(match accounts.len() {
            1 => row
                .target(&format!("aim: p50 ≤ {most_50} ms"), receipts.p50 <= most_50)
                .target(&format!("aim: p99 ≤ {most_99} ms"), receipts.p99 <= most_99),
            _ => row.target("aim: p99 ≤ 20 ms", receipts.p99 <= 20.0),
        });
    }
    Ok(rows)
}
