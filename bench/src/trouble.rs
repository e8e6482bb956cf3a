//! Neighbours in trouble: what an endpoint that hangs, and receivers that misbehave in every way there is, cost those
//! beside them.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{join_all, try_join};
use orquiva_outside::{Authority, Hostile, Manner};

use crate::bench::Bench;
use crate::child;
use crate::lab::Lab;
use crate::machine::{Process, memory};
use crate::open_loop::{Arrivals, Percentiles};
use crate::table::Row;

/// Hires a second of one company at most, far enough below the limit of its plan.
const OF_ONE: f64 = 150.0;

/// Hires a second of the company beside.
const BESIDE: f64 = 20.0;

/// Healthy endpoints of each company.
const HEALTHY: usize = 9;

/// What was seen in one run.
struct Seen {
    /// From hire to receipt, at the healthy endpoints.
    healthy: Percentiles,
    /// The same of a company that has nothing to do with it.
    beside: Percentiles,
    /// Memory of the server at its end, in MiB.
    memory: f64,
    /// Of each hostile receiver: how, and how many deliveries it took.
    taken: Vec<(Manner, u64)>,
}

/// One of ten endpoints takes requests and never answers.
pub(crate) async fn hang(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for rate in [20.0, 50.0, 500.0] {
        let calm = run(bench, rate, &[]).await?;
        let hanging = run(bench, rate, &[Manner::NeverAnswers]).await?;
        for (who, calm, hanging) in
            [("nine others", calm.healthy, hanging.healthy), ("another company", calm.beside, hanging.beside)]
        {
            let what = format!("1 of 10 endpoints hangs, {rate:.0} events/s: {who}");
            eprintln!("  {what}: {} beside {}", hanging.shown(), calm.shown());
            let row = Row::figure(&what, format!("{}; without: {}", hanging.shown(), calm.shown()));
            rows.push(row.target("p99 ≤ 1.5 ×", hanging.p99 <= 1.5 * calm.p99));
        }
    }
    Ok(rows)
}

/// Receivers that misbehave in every way there is, all at once, beside nine healthy ones.
pub(crate) async fn hostile(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let calm = run(bench, 20.0, &[]).await?;
    let hostile = run(bench, 20.0, Manner::ALL).await?;
    let count = Manner::ALL.len();
    let mut rows = Vec::new();
    for (who, calm, hostile) in [
        ("nine healthy ones", calm.healthy, hostile.healthy),
        ("another company", calm.beside, hostile.beside),
    ] {
        let what = format!("{count} hostile receivers: {who}");
        eprintln!("  {what}: {} beside {}", hostile.shown(), calm.shown());
        let row = Row::figure(&what, format!("{}; without: {}", hostile.shown(), calm.shown()));
        rows.push(row.target("p99 ≤ 2 ×", hostile.p99 <= 2.0 * calm.p99));
    }
    let [before, after] = [calm.memory, hostile.memory];
    let row = Row::figure(
        &format!("{count} hostile receivers: memory"),
        format!("{after:.1} MiB; without: {before:.1} MiB"),
    );
    rows.push(row.target("≤ 1.5 ×", after <= 1.5 * before));
    let wrong: Vec<_> = hostile.taken.iter().filter(|(manner, taken)| !is_right(*manner, *taken)).collect();
    let row = Row::figure(
        &format!("{count} hostile receivers: those in another state than promised"),
        format!("{wrong:?}"),
    );
    rows.push(row.target("none", wrong.is_empty()));
    Ok(rows)
}

/// Whether a receiver may have taken so many: those that answer with a 2xx take all, one that flaps some, others none.
fn is_right(manner: Manner, taken: u64) -> bool {
    match manner {
        Manner::EndlessBody | Manner::GzipBomb => taken > 0,
        Manner::Flaps => true,
        _ => taken == 0,
    }
}

/// Hires at `rate` in companies with ten endpoints, of which one is replaced by these receivers, and beside them in
/// a company with one.
async fn run(bench: &Bench, rate: f64, manners: &[Manner]) -> anyhow::Result<Seen> {
    let time = (bench.pace.time() * 5).min(Duration::from_secs(60));
    let companies = (rate / OF_ONE).ceil() as usize;
    let lab = Lab::start(&bench.place, companies + 1).await?;
    let mut arrivals = Arrivals::default();
    let (mut hostile, mut ids) = (Vec::new(), Vec::new());
    for company in 0..companies {
        for _ in 0..HEALTHY + usize::from(manners.is_empty()) {
            lab.subscribe(company, &arrivals.endpoint().await?).await?;
        }
        let (process, urls) = receivers(manners)?;
        for (manner, url) in manners.iter().zip(urls) {
            ids.push((*manner, lab.subscribe(company, &url).await?));
        }
        hostile.push(process);
    }
    let each = HEALTHY + usize::from(manners.is_empty());
    let own = companies * each;
    lab.subscribe(companies, &arrivals.endpoint().await?).await?;
    let (sent, beside) =
        try_join(lab.hire(0..companies, rate, time), lab.hire(companies..companies + 1, BESIDE, time))
            .await?;
    arrivals.all_of(sent.len() * each + beside.len()).await?;
    let mut taken = Vec::new();
    for (manner, id) in ids {
        let sql = format!("select count(*) from delivery where webhook_id = '{id}' and state = 'delivered'");
        taken.push((manner, lab.database.count(&sql).await?));
    }
    // Only nine of the ten count, as in the run with one that hangs.
    let healthy: Vec<usize> = (0..own).filter(|endpoint| endpoint % each < HEALTHY).collect();
    Ok(Seen {
        healthy: Percentiles::of(arrivals.times(&sent, &healthy))?,
        beside: Percentiles::of(arrivals.times(&beside, &[own]))?,
        memory: memory(lab.server.id(), "VmHWM")?,
        taken,
    })
}

/// Starts these receivers in a process of their own, so that what they do costs neither the load nor the healthy ones.
fn receivers(manners: &[Manner]) -> anyhow::Result<(Process, Vec<String>)> {
    let names = manners.iter().map(|manner| format!("{manner:?}")).collect::<Vec<_>>().join(",");
    let (process, line) = child::start(&["hostile", &names])?;
    Ok((process, line.split(' ').map(str::to_owned).collect()))
}

/// What that process does.
pub(crate) async fn serve(names: &str) -> anyhow::Result<()> {
    let named = |name: &str| Manner::ALL.iter().find(|manner| format!("{manner:?}") == name).copied();
    let manners: Option<Vec<_>> = names.split(',').filter(|name| !name.is_empty()).map(named).collect();
    let (manners, authority) = (manners.context("there is no such manner")?, Authority::new());
    let all = join_all(manners.iter().map(|manner| Hostile::start(*manner, &authority))).await;
    let urls: Vec<_> = all.iter().map(|receiver| receiver.url.as_str()).collect();
    child::up(&format!("{} ", urls.join(" ")));
    std::future::pending().await
}
