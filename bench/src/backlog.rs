//! More than can be delivered: a queue of a dead endpoint that nobody empties, and hires at twice the pace of the
//! deliveries.

use std::time::Duration;

use anyhow::ensure;

use crate::bench::Bench;
use crate::lab::Lab;
use crate::load::{Connection, Hires};
use crate::machine::now;
use crate::open_loop::{Arrivals, Percentiles};
use crate::receiver::Receiver;
use crate::table::{Row, grouped};

/// Companies whose lanes are idle until their one hire: each has to be claimed.
const COLD: usize = 200;

/// Hires a batch.
const ITEMS: usize = 500;

/// How long an idle server is watched.
const IDLE: Duration = Duration::from_secs(10);

/// Companies with ten endpoints that share the overload.
const OVERLOADED: usize = 16;

/// How often the receiver is asked while there is too much to do, and how many answers make a peak: two seconds, because
/// for a moment anything may come in a heap.
const WINDOW: Duration = Duration::from_millis(500);
const PEAK: usize = 4;

/// `pending` deliveries wait for an endpoint where nobody listens: claims of other lanes, and an idle server, beside
/// the same without them.
pub(crate) async fn pending(bench: &mut Bench, pending: usize) -> anyhow::Result<Vec<Row>> {
    let mut lab = Lab::start(&bench.place, 2 * COLD + 1).await?;
    let mut arrivals = Arrivals::default();
    for company in 0..2 * COLD {
        lab.subscribe(company, &arrivals.endpoint().await?).await?;
    }
    let empty = claims(&lab, &arrivals, 0).await?;
    let calm = idle(&lab).await?;

    let dead = 2 * COLD;
    lab.subscribe(dead, "http://127.0.0.1:1/").await?;
    let hires = Hires::of(&lab.accounts[dead].token);
    let mut connection = Connection::open(lab.server.at).await?;
    for batch in 0..pending.div_ceil(ITEMS) {
        let first = 1_000_000_000 + (batch * ITEMS) as u64;
        let numbers: Vec<_> = (first..first + ITEMS as u64).collect();
        let answer = connection.call(&hires.batch(&numbers), 200).await?;
        ensure!(answer["succeeded"] == ITEMS, "a batch was not carried out whole: {}", connection.body());
    }
    lab.database.settle_within("event", "sequence is null", Duration::from_secs(600)).await?;
    let waiting = lab.database.count("select count(*) from delivery where state = 'waiting'").await?;
    ensure!(waiting >= pending as u64, "only {waiting} deliveries wait for the dead endpoint");
    lab.database.clean_up().await?;
    let full = claims(&lab, &arrivals, COLD).await?;
    let busy = idle(&lab).await?;
    lab.server.stop();

    let what = format!("{} pending for a dead endpoint", grouped(waiting as f64));
    eprintln!("  {what}: {} beside {}; idle {busy:.2} % beside {calm:.2} %", full.shown(), empty.shown());
    let row = Row::figure(
        &format!("{what}: hire → receipt by lanes that have to be claimed"),
        format!("{}; without: {}", full.shown(), empty.shown()),
    );
    let idle = Row::figure(&format!("{what}: idle CPU"), format!("{busy:.2} %; without: {calm:.2} %"));
    Ok(vec![
        row.target("p50 ≤ 1.5 ×", full.p50 <= 1.5 * empty.p50)
            .target("p99 ≤ 1.5 ×", full.p99 <= 1.5 * empty.p99),
        idle.target("≤ 1 %", busy <= 1.0),
    ])
}

/// From hire to receipt in each of [`COLD`] companies, one after the other, once.
async fn claims(lab: &Lab, arrivals: &Arrivals, first: usize) -> anyhow::Result<Percentiles> {
    let mut connection = Connection::open(lab.server.at).await?;
    let mut times = Vec::new();
    for company in first..first + COLD {
        let hires = Hires::of(&lab.accounts[company].token);
        let (number, mut request) = (company as u64, Vec::new());
        hires.write(number, &mut request);
        let sent = now();
        let status = connection.exchange(&request).await?;
        ensure!(status == 201, "a hire was answered with {status}: {}", connection.body());
        arrivals.all_of(company + 1).await?;
        times.push(arrivals.at(company, number).map_or(Duration::MAX, |at| at - sent));
    }
    Percentiles::of(times)
}

/// CPU of a server that nobody asks anything, with that of the database, in per cent of one core.
async fn idle(lab: &Lab) -> anyhow::Result<f64> {
    tokio::time::sleep(Duration::from_secs(12)).await; // lanes linger for ten seconds
    let meter = lab.meter();
    let before = meter.read()?;
    tokio::time::sleep(IDLE).await;
    Ok(meter.since(before)?.servers / IDLE.as_secs_f64() * 100.0)
}

/// Hires as fast as they are answered, in companies with ten endpoints: more than can be delivered meanwhile.
pub(crate) async fn overload(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let lab = Lab::start(&bench.place, OVERLOADED).await?;
    let mut receiver = Receiver::start(OVERLOADED * 10).await?;
    for endpoint in 0..OVERLOADED * 10 {
        let url = format!("http://127.0.0.1:{}/{endpoint}", receiver.ports[endpoint]);
        lab.subscribe(endpoint / 10, &url).await?;
    }
    let time = (bench.pace.time() * 4).min(Duration::from_secs(16));
    let load = lab.hire_at_once(lab.hires_in(0..OVERLOADED), time, u64::MAX);
    tokio::pin!(load);
    let (start, mut seen) = (now(), vec![(0.0, 0)]);
    let done = loop {
        tokio::select! {
            done = &mut load => break done?,
            () = tokio::time::sleep(WINDOW) => {
                seen.push((start.elapsed().as_secs_f64(), receiver.counts().await?.distinct));
            }
        }
    };
    let rates: Vec<f64> =
        seen.windows(2).map(|two| (two[1].1 - two[0].1) as f64 / (two[1].0 - two[0].0)).collect();
    let owed = done.answers * 10;
    let drained = loop {
        let counts = receiver.counts().await?;
        ensure!(
            counts.quiet < Duration::from_secs(30),
            "{} of {owed} did not arrive",
            owed - counts.distinct
        );
        if counts.distinct >= owed {
            break (now() - counts.quiet).saturating_duration_since(start);
        }
        tokio::time::sleep(WINDOW).await;
    };
    let capacity = owed as f64 / drained.as_secs_f64();
    let most = rates.windows(PEAK).map(|some| some.iter().sum::<f64>() / PEAK as f64);
    let peak = most.fold(capacity, f64::max);
    let under = rates[rates.len() / 2..].iter().sum::<f64>() / rates.len().div_ceil(2).max(1) as f64;
    let hires = done.answers as f64 / done.time.as_secs_f64();
    let times_over = hires * 10.0 / capacity;
    let text = format!(
        "{}/s while {} hires/s are answered ({times_over:.1} × what is delivered); peak {}/s; all {owed} arrived",
        grouped(under),
        grouped(hires),
        grouped(peak)
    );
    eprintln!("  {text}");
    let row = Row::figure("deliveries under overload, 10 endpoints a company", text);
    Ok(vec![row.target("≥ 0.9 × peak", under >= 0.9 * peak)])
}
