//! Growth: the same reads over ten thousand people and over as many as are wanted, on two servers in turn.

use anyhow::Context as _;

use crate::bench::{Pace, Place, in_turn};
use crate::crowd::{COMPANY, Crowd};
use crate::load::{Load, request};
use crate::machine::Meter;
use crate::server::Account;
use crate::table::{Row, Sample, Series, grouped};

/// People in the database that the other one is compared with.
const FEW: u64 = 10_000;

/// Companies that are read, evenly spread over all.
const READ: usize = 64;

/// Reads of the one large company, of each kind: its plan lets 10,000 requests through in a minute, whatever it is asked.
const OF_ONE: u64 = 1_500;

/// What is read: its name, and the path for the person with a number and an id.
type Read = (&'static str, fn(number: &str, id: &str) -> String);

const READS: &[Read] = &[
    ("get", |_, id| format!("/v1/employees/{id}")),
    ("list 50", |_, _| "/v1/employees?limit=50".to_owned()),
    ("filtered list", |_, _| "/v1/employees?department=Ventas&status=on_leave&limit=10".to_owned()),
    ("q, one person", |number, _| format!("/v1/employees?q=p{number:0>26}")),
    ("q, a common word", |_, _| "/v1/employees?q=ana&limit=10".to_owned()),
    ("by reference", |number, _| format!("/v1/employees/by-ref/sap/{number}")),
];

/// Reads over [`FEW`] people, over `people` in companies of [`COMPANY`], and in one company of a tenth of them.
pub(crate) async fn growth(place: &Place, pace: Pace, people: u64) -> anyhow::Result<Vec<Row>> {
    let few = Crowd::gather(place, FEW / COMPANY, 0).await?;
    eprintln!("  {} people are there", grouped(FEW as f64));
    let many = Crowd::gather(place, people.div_ceil(COMPANY), people / 10).await?;
    eprintln!("  {} people are there", grouped(people as f64 * 1.1));
    let mut rows = Vec::new();
    for read in READS {
        let few_requests = requests(&few, &few.spread(READ), *read).await?;
        let many_requests = requests(&many, &many.spread(READ), *read).await?;
        let large = many.large.as_ref().context("a large company")?;
        let large_requests = requests(&many, &[large], *read).await?;
        let mut series = [Series::default(), Series::default(), Series::default()];
        for round in 0..pace.rounds {
            for (at, (crowd, requests, most)) in [
                (&few, &few_requests, u64::MAX),
                (&many, &many_requests, u64::MAX),
                (&many, &large_requests, OF_ONE),
            ]
            .into_iter()
            .enumerate()
            {
                if most == OF_ONE && round > 0 {
                    continue;
                }
                series[at].push(sample(place, pace, crowd, requests, most).await?);
            }
            let [least, all, one] = [0, 1, 2].map(|at| grouped(series[at].last_rate()));
            eprintln!("  {}: {all}/s, large company {one}/s, beside {least}/s", read.0);
        }
        let [few, many, large] = &series;
        let [all, companies, one] =
            [people, people.div_ceil(COMPANY), people / 10].map(|count| grouped(count as f64));
        rows.push(row(&format!("{}, {all} people in {companies} companies", read.0), many, few));
        rows.push(row(&format!("{}, in one company of {one}", read.0), large, few));
    }
    Ok(rows)
}

/// Judged by CPU time as well: what is minutes apart, or cut short, says little by its rate alone.
fn row(what: &str, ours: &Series, few: &Series) -> Row {
    let row = Row::rates(what, "", ours, Some(("10,000 people", few)));
    row.target("time ≤ 1.5 ×", few.rate() / ours.rate() <= 1.5)
        .target("CPU ≤ 1.5 ×", ours.servers() / few.servers() <= 1.5)
}

/// One request for each of these companies.
async fn requests(crowd: &Crowd, accounts: &[&Account], (_, path): Read) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut requests = Vec::new();
    for account in accounts {
        let (number, id) = crowd.someone(account).await?;
        requests.push(request("GET", &path(&number, &id), &account.token, "", ""));
    }
    Ok(requests)
}

async fn sample(
    place: &Place,
    pace: Pace,
    crowd: &Crowd,
    requests: &[Vec<u8>],
    most: u64,
) -> anyhow::Result<Sample> {
    let postmaster = place.postgres.as_ref().and_then(|postgres| postgres.postmaster);
    let servers = [crowd.server.id()].into_iter().chain(postmaster).collect();
    let meter = Meter { servers, ..Meter::default() };
    let fill = in_turn(requests.to_vec());
    let before = meter.read()?;
    let done = Load { at: crowd.server.at, time: pace.time(), most, expect: 200, fill }.run().await?;
    Ok(Sample::of(done.answers, done.time, meter.since(before)?))
}
