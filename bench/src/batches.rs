//! `POST /v1/employees/batch` beside the same hires one by one, at one client.

use std::time::Duration;

use anyhow::ensure;

use crate::bench::Bench;
use crate::load::{Connection, Hires};
use crate::machine::now;
use crate::table::{Row, Sample, Series, grouped};

/// Items of a batch: as many as it may have.
const ITEMS: usize = 500;

/// How often each side is done in a round, each time in another company: a plan lets 10,000 requests through in a
/// minute.
const TIMES: usize = 4;

/// Hires by the hundred beside hires one by one.
pub(crate) async fn batch(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let (mut batches, mut singles) = (Series::default(), Series::default());
    for round in 0..bench.pace.rounds {
        for at_once in [true, false] {
            let meter = bench.meter();
            let before = meter.read()?;
            let mut time = Duration::ZERO;
            for turn in 0..TIMES {
                time += hire(bench, round * TIMES + turn, at_once).await?;
            }
            bench.settle_events().await?;
            let series = if at_once { &mut batches } else { &mut singles };
            series.push(Sample::of((TIMES * ITEMS) as u64, time, meter.since(before)?));
        }
        eprintln!("  {}/s beside {}/s", grouped(batches.last_rate()), grouped(singles.last_rate()));
    }
    let ratio = batches.rate() / singles.rate();
    let row = Row::rates("hires in batches of 500, 1 client", "", &batches, Some(("one by one", &singles)));
    Ok(vec![row.target("≥ 10 × one by one", ratio >= 10.0)])
}

/// Hires [`ITEMS`] people in one company, at once or one by one; how long that took.
async fn hire(bench: &mut Bench, turn: usize, at_once: bool) -> anyhow::Result<Duration> {
    let account = &bench.companies.many[turn];
    let mut connection = Connection::open(bench.server.at).await?;
    let hires = Hires::of(&account.token);
    let numbers: Vec<_> = (0..ITEMS).map(|_| bench.next_number()).collect();
    let start = now();
    if at_once {
        let answer = connection.call(&hires.batch(&numbers), 200).await?;
        let time = start.elapsed();
        ensure!(answer["succeeded"] == ITEMS, "a batch was not carried out whole: {}", connection.body());
        bench.ledger.acknowledged += ITEMS as u64;
        return Ok(time);
    }
    let mut request = Vec::new();
    for number in numbers {
        request.clear();
        hires.write(number, &mut request);
        let status = connection.exchange(&request).await?;
        ensure!(status == 201, "a hire was answered with {status}: {}", connection.body());
        bench.ledger.acknowledged += 1;
    }
    Ok(start.elapsed())
}
