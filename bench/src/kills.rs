//! `kill -9` again and again while people are hired: nothing that was acknowledged may be lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use orquiva_core::Chance as _;
use orquiva_core::chance::SeededChance;
use tokio::task::JoinSet;

use crate::bench::Bench;
use crate::lab::Lab;
use crate::load::{CLIENTS, Connection, Hires};
use crate::machine::now;
use crate::receiver::Receiver;
use crate::table::{Row, grouped};

/// Companies, each with one endpoint.
const COMPANIES: usize = 16;

/// Hires that were not answered: they are sent again, under the same key.
type Owed = Arc<Mutex<Vec<u64>>>;

/// Kills the server `kills` times and counts what came of it.
pub(crate) async fn kills(bench: &mut Bench, kills: usize) -> anyhow::Result<Vec<Row>> {
    let mut lab = Lab::start(&bench.place, COMPANIES).await?;
    let mut receiver = Receiver::start(COMPANIES).await?;
    let mut endpoints = HashMap::new();
    for endpoint in 0..COMPANIES {
        let url = format!("http://127.0.0.1:{}/{endpoint}", receiver.ports[endpoint]);
        endpoints.insert(lab.subscribe(endpoint, &url).await?, endpoint);
    }
    let (owed, acknowledged, chance) = (Owed::default(), Arc::new(AtomicU64::new(0)), SeededChance::new(11));
    let mut in_flight = receiver.among(&[]).await?;
    for _ in 0..kills {
        let clients = hire(&lab, &owed, &acknowledged, u64::MAX).await?;
        let life = bench.pace.time().mul_f64(0.2 + 0.4 * chance.unit());
        tokio::time::sleep(life).await;
        lab.server.kill();
        clients.join_all().await;
        in_flight += in_flight_at_the_end(&lab, &mut receiver, &endpoints).await?;
        lab.restart().await?;
    }
    // What was under way when the server died is asked for again: was it stored, the answer is repeated.
    let last = owed.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
    let back = now();
    hire(&lab, &owed, &acknowledged, last).await?.join_all().await;
    let unanswered = owed.lock().unwrap_or_else(PoisonError::into_inner).len();
    ensure!(unanswered == 0, "{unanswered} hires were never answered");
    let acknowledged = acknowledged.load(Ordering::Relaxed);
    lab.database.settle("event", "sequence is null").await?;
    let employees = lab.database.count("select count(*) from employee").await?;
    let events = lab.database.count("select count(*) from event where type = 'employee.created'").await?;
    let counts = loop {
        let counts = receiver.counts().await?;
        if counts.distinct >= events || counts.quiet > Duration::from_secs(30) {
            break counts;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let late = (now() - counts.quiet).saturating_duration_since(back).as_secs_f64();
    lab.database.settle("delivery", "state = 'waiting'").await?;
    let lost = events.saturating_sub(counts.distinct);
    let repeated = counts.received.saturating_sub(counts.distinct);
    let what = format!("kill -9, {kills} times during {} hires", grouped(acknowledged as f64));
    let text = format!(
        "acknowledged {acknowledged} = employees {employees} = events {events}; lost {lost}, repeated {repeated} of \
         {in_flight} that had arrived and were not written down when it was killed, the last one {late:.1} s after the last return"
    );
    eprintln!("  {text}");
    Ok(vec![
        Row::figure(&what, text)
            .target("0 lost", lost == 0 && acknowledged == employees && employees == events)
            .target("repeated = in flight", repeated == in_flight)
            .target("≤ 2 s", late <= 2.0),
    ])
}

/// How many deliveries had arrived in the life of a server that was killed, and were not written down as arrived: these
/// are sent again, and no others.
async fn in_flight_at_the_end(
    lab: &Lab,
    receiver: &mut Receiver,
    endpoints: &HashMap<String, usize>,
) -> anyhow::Result<u64> {
    let mut before = receiver.counts().await?.received;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await; // what was on its way arrives
        let after = receiver.counts().await?.received;
        if after == before {
            break;
        }
        before = after;
    }
    let waiting = lab.database.left_waiting().await?;
    let pair = |(webhook, event): (String, String)| Some((*endpoints.get(&webhook)?, event));
    receiver.among(&waiting.into_iter().filter_map(pair).collect::<Vec<_>>()).await
}

/// Hires from [`CLIENTS`] clients until the server is gone, or `most` were asked for. First what is owed.
async fn hire(
    lab: &Lab,
    owed: &Owed,
    acknowledged: &Arc<AtomicU64>,
    most: u64,
) -> anyhow::Result<JoinSet<()>> {
    let hires: Arc<Vec<_>> = Arc::new(lab.accounts.iter().map(|account| Hires::of(&account.token)).collect());
    let mut clients = JoinSet::new();
    let asked = Arc::new(AtomicU64::new(0));
    for _ in 0..CLIENTS {
        let mut connection = Connection::open(lab.server.at).await?;
        let (hires, owed, acknowledged) = (hires.clone(), owed.clone(), acknowledged.clone());
        let (asked, numbers) = (asked.clone(), lab.numbers.clone());
        clients.spawn(async move {
            let mut request = Vec::new();
            while asked.fetch_add(1, Ordering::Relaxed) < most {
                let old = owed.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let number = old.unwrap_or_else(|| numbers.fetch_add(1, Ordering::Relaxed));
                request.clear();
                hires[number as usize % hires.len()].write(number, &mut request);
                match connection.exchange(&request).await {
                    Ok(201) => drop(acknowledged.fetch_add(1, Ordering::Relaxed)),
                    Ok(_) | Err(_) => {
                        owed.lock().unwrap_or_else(PoisonError::into_inner).push(number);
                        return;
                    }
                }
            }
        });
    }
    Ok(clients)
}
