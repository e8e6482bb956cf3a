//! From a hire to the receipt of its webhook: how many, at what cost, and how soon.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use orquiva_core::Chance as _;
use orquiva_core::chance::SeededChance;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::bench::Bench;
use crate::load::{Connection, Done, Hires, number_in, request};
use crate::machine::now;
use crate::receiver::{self, Counts, Hook, Receiver};
use crate::table::{Row, Sample, Series, grouped};

/// Hires a second while latencies are measured.
const RATE: f64 = 100.0;

/// How long nothing may arrive before what is missing counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

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
            subscribe(bench, &account.token, receiver.ports[endpoint], endpoint).await?;
        }
    }
    let fill = bench.hires_in(companies);
    let mut meter = bench.meter();
    meter.generators.push(receiver.id());
    // With ten endpoints the hires are far ahead of the deliveries: the backlog stays bounded.
    let most = if endpoints == 1 { u64::MAX } else { 2_500 * bench.pace.seconds };
    let (mut deliveries, mut hired) = (Series::default(), Series::default());
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
        let [all, hires] = [&deliveries, &hired].map(|side| grouped(side.last_rate()));
        eprintln!("  {all} deliveries/s, {hires} hires/s");
    }
    let (rate, cpu) = (deliveries.rate(), deliveries.servers());
    let what = format!("hire → receipt, endpoints a company: {endpoints}");
    let note = format!(" ({} hires/s)", grouped(hired.rate()));
    let row = Row::rates(&what, &note, &deliveries, None);
    let at_least = |row: Row, text: &str, least: f64| row.target(text, rate >= least);
    let (row, most) = match (bench.is_embedded(), endpoints) {
        (true, 1) => (at_least(at_least(row, "≥ 3,000/s", 3e3), "aim: ≥ 4,850/s", 4_850.0), 0.25),
        (true, _) => (at_least(at_least(row, "≥ 10,000/s", 1e4), "aim: ≥ 16,300/s", 16_300.0), 0.08),
        (false, 1) => (at_least(row, "aim: ≥ 3,880/s", 3_880.0), 0.5),
        (false, _) => (at_least(row, "aim: ≥ 13,040/s", 13_040.0), 0.15),
    };
    Ok(row.target(&format!("aim: CPU ≤ {most} s"), cpu <= most))
}

async fn subscribe(bench: &Bench, token: &str, port: u16, endpoint: usize) -> anyhow::Result<()> {
    let url = format!("http://127.0.0.1:{port}/{endpoint}");
    let body = json!({ "url": url, "events": ["employee.created"] }).to_string();
    let create = request("POST", "/v1/webhooks", token, "application/json", &body);
    Connection::open(bench.server.at).await?.call(&create, 201).await.map(drop)
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

/// Hires at random moments, [`RATE`] a second, on a server that has nothing else to do.
pub(crate) async fn latency(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let arrived: Arc<Mutex<Arrived>> = Arc::default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    subscribe(bench, &bench.companies.quiet.token, listener.local_addr()?.port(), 0).await?;
    let note = arrived.clone();
    let hook: Hook = Arc::new(move |_, _, body| {
        let mut arrived = note.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.all += 1;
        arrived.first.entry(number_in(body)?).or_insert_with(now);
        None
    });
    let receiving = tokio::spawn(receiver::serve(listener, hook));
    let time = (bench.pace.time() * 5).min(Duration::from_secs(60));
    let sent = open_loop(bench, time).await?;
    bench.ledger.acknowledged += sent.len() as u64;
    bench.ledger.owed += sent.len() as u64;
    bench.settle_deliveries().await?;
    receiving.abort();
    let arrived = arrived.lock().unwrap_or_else(PoisonError::into_inner);
    let distinct = arrived.first.len() as u64;
    bench.ledger.arrived(Counts { received: arrived.all, distinct, ..Counts::default() });
    let receipts =
        sent.iter().filter_map(|(number, at, _)| Some(*arrived.first.get(number)? - *at)).collect();
    let hires = sent.iter().map(|(_, _, time)| *time).collect();
    let ([hire_50, hire_99], [receipt_50, receipt_99]) = (percentiles(hires)?, percentiles(receipts)?);
    let (most_50, most_99) = if bench.is_embedded() { (1.5, 5.0) } else { (2.5, 8.0) };
    let shown = |p50: f64, p99: f64| format!("p50 {p50:.2} ms, p99 {p99:.2} ms");
    let rate = sent.len() as f64 / time.as_secs_f64();
    eprintln!("  {}", shown(receipt_50, receipt_99));
    Ok(vec![
        Row::figure(&format!("hire, {rate:.0}/s, quiet"), shown(hire_50, hire_99)),
        Row::figure(&format!("hire → receipt, {rate:.0}/s, quiet"), shown(receipt_50, receipt_99))
            .target(&format!("aim: p50 ≤ {most_50} ms"), receipt_50 <= most_50)
            .target(&format!("aim: p99 ≤ {most_99} ms"), receipt_99 <= most_99),
    ])
}

/// The webhooks that came, by the number of their hire.
#[derive(Default)]
struct Arrived {
    all: u64,
    first: HashMap<u64, Instant>,
}

/// The number of a hire, when it was sent, and how long its answer took.
type Sent = (u64, Instant, Duration);

/// Hires whether or not the earlier ones are answered; the moments are random, and the same in every run.
async fn open_loop(bench: &Bench, time: Duration) -> anyhow::Result<Vec<Sent>> {
    let (hires, chance) = (Hires::of(&bench.companies.quiet.token), SeededChance::new(7));
    let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
    let at = bench.server.at;
    let (mut running, mut all) = (JoinSet::new(), Vec::new());
    let (start, mut due) = (now(), 0.0);
    while due < time.as_secs_f64() {
        tokio::time::sleep_until((start + Duration::from_secs_f64(due)).into()).await;
        due -= (1.0 - chance.unit()).ln() / RATE;
        let (number, request) = bench.next_hire(&hires);
        let idle = idle.clone();
        running.spawn(async move {
            let free = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match free {
                Some(connection) => connection,
                None => Connection::open(at).await?,
            };
            let sent = now();
            let status = connection.exchange(&request).await?;
            let took = sent.elapsed();
            ensure!(status == 201, "a hire was answered with {status}: {}", connection.body());
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok((number, sent, took))
        });
        while let Some(ended) = running.try_join_next() {
            all.push(ended??);
        }
    }
    while let Some(ended) = running.join_next().await {
        all.push(ended??);
    }
    Ok(all)
}

/// The 50th and the 99th of 100, in milliseconds.
fn percentiles(mut times: Vec<Duration>) -> anyhow::Result<[f64; 2]> {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).context("nothing arrived");
    Ok([at(50)?.as_secs_f64() * 1000.0, at(99)?.as_secs_f64() * 1000.0])
}
