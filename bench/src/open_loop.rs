//! The open loop: hires at random moments, whether or not the earlier ones are answered, and receivers in this very
//! process that note when each webhook came.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use orquiva_core::Chance as _;
use orquiva_core::chance::SeededChance;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::load::{Connection, Fill, Hires, number_in};
use crate::machine::now;
use crate::receiver::{self, Hook};
use crate::server::Account;

/// How long nothing may arrive before what is missing counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// A hire that was answered with 201.
pub(crate) struct Sent {
    pub(crate) number: u64,
    /// When it was sent.
    pub(crate) at: Instant,
    /// How long its answer took.
    pub(crate) took: Duration,
}

/// Hires in these companies in turn, `rate` a second for `time`. The moments are random, and the same in every run.
pub(crate) async fn open_loop(
    at: SocketAddr,
    accounts: &[Account],
    rate: f64,
    time: Duration,
    numbers: &AtomicU64,
) -> anyhow::Result<Vec<Sent>> {
    let hires: Vec<_> = accounts.iter().map(|account| Hires::of(&account.token)).collect();
    let chance = SeededChance::new(7);
    let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
    let (mut running, mut all) = (JoinSet::new(), Vec::new());
    let (start, mut due, mut turn) = (now(), 0.0, 0);
    while due < time.as_secs_f64() {
        tokio::time::sleep_until((start + Duration::from_secs_f64(due)).into()).await;
        due -= (1.0 - chance.unit()).ln() / rate;
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let mut request = Vec::new();
        hires[turn % hires.len()].write(number, &mut request);
        turn += 1;
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
            Ok(Sent { number, at: sent, took })
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

/// The next request of each of these companies in turn.
pub(crate) fn hires_in(accounts: &[Account], numbers: Arc<AtomicU64>) -> Fill {
    let hires: Vec<_> = accounts.iter().map(|account| Hires::of(&account.token)).collect();
    Arc::new(move |_, out| {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        hires[number as usize % hires.len()].write(number, out);
    })
}

/// Receivers, each on a port of its own, and what came to them.
#[derive(Default)]
pub(crate) struct Arrivals {
    noted: Arc<Mutex<Noted>>,
    receiving: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Noted {
    all: u64,
    /// When each first came, by endpoint and hire.
    first: HashMap<(usize, u64), Instant>,
    last: Option<Instant>,
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.receiving.iter().for_each(JoinHandle::abort);
    }
}

impl Arrivals {
    /// One more endpoint: its address. They are numbered from 0.
    pub(crate) async fn endpoint(&mut self) -> anyhow::Result<String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (endpoint, noted) = (self.receiving.len(), self.noted.clone());
        let url = format!("http://127.0.0.1:{}/{endpoint}", listener.local_addr()?.port());
        let hook: Hook = Arc::new(move |_, _, body| {
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.all += 1;
            let now = now();
            noted.last = Some(now);
            noted.first.entry((endpoint, number_in(body)?)).or_insert(now);
            None
        });
        self.receiving.push(tokio::spawn(receiver::serve(listener, hook)));
        Ok(url)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that came, and how many different ones.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let noted = self.noted();
        (noted.all, noted.first.len() as u64)
    }

    /// Waits until `count` different ones have come.
    pub(crate) async fn all_of(&self, count: usize) -> anyhow::Result<()> {
        let start = now();
        loop {
            let (missing, last) = {
                let noted = self.noted();
                (count.saturating_sub(noted.first.len()), noted.last.unwrap_or(start))
            };
            if missing == 0 {
                return Ok(());
            }
            let quiet = last.max(start).elapsed();
            ensure!(quiet < PATIENCE, "{missing} of {count} webhooks did not arrive");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// When the webhook of a hire first came to an endpoint.
    pub(crate) fn at(&self, endpoint: usize, number: u64) -> Option<Instant> {
        self.noted().first.get(&(endpoint, number)).copied()
    }

    /// From each hire to its webhook at each of these endpoints.
    pub(crate) fn times(&self, sent: &[Sent], endpoints: &[usize]) -> Vec<Duration> {
        let noted = self.noted();
        let pairs = sent.iter().flat_map(|sent| endpoints.iter().map(move |endpoint| (sent, endpoint)));
        pairs
            .filter_map(|(sent, endpoint)| Some(*noted.first.get(&(*endpoint, sent.number))? - sent.at))
            .collect()
    }
}

/// The 50th and the 99th of 100.
#[derive(Clone, Copy)]
pub(crate) struct Percentiles {
    /// In milliseconds.
    pub(crate) p50: f64,
    /// In milliseconds.
    pub(crate) p99: f64,
}

impl Percentiles {
    pub(crate) fn of(mut times: Vec<Duration>) -> anyhow::Result<Self> {
        times.sort_unstable();
        let at = |percent: usize| times.get(times.len() * percent / 100).context("nothing arrived");
        Ok(Self { p50: at(50)?.as_secs_f64() * 1000.0, p99: at(99)?.as_secs_f64() * 1000.0 })
    }

    pub(crate) fn shown(self) -> String {
        format!("p50 {:.2} ms, p99 {:.2} ms", self.p50, self.p99)
    }
}
