//! Lanes at work: each is leased, sends with its own bounded concurrency, and lingers a little for what comes next,
//! so one dead or slow endpoint never delays another.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use orquiva_core::id::{DeliveryId, LeaseId};
use orquiva_core::webhook::Status;
use orquiva_core::webhook::outcome::{self, Outcome, SCHEDULE, outcome};
use orquiva_store::delivery::{Attempt, Due, Settled, State};
use orquiva_store::lane::Lane;
use orquiva_store::{StoreError, delivery, lane, webhook};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::client::Reply;
use crate::endpoint::Endpoint;
use crate::message::{kept, request};
use crate::parts::{BACK_OFF, POLL, Parts, stopped, wait};
use crate::recorder::{Consequence, LEASE, Recorder, Report};

/// How often a lease is renewed.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Polls that an empty lane is kept for, so that the next event finds it claimed.
const LINGER: u32 = 40;

/// Most lanes that this node holds at once.
const MOST_LANES: usize = 1024;

/// Deliveries that are read ahead, a lane.
const AHEAD: usize = 64;

/// Most results of a lane that may wait to be recorded before it stops sending.
const MOST_UNRECORDED: usize = 512;

/// The lanes of this node, and what they share.
pub(crate) struct Lanes {
    pub(crate) parts: Arc<Parts>,
    recorder: Recorder,
    /// Rung when a lane may be due.
    due: Notify,
    /// The lanes that this node holds, and the bell of each.
    held: Mutex<HashMap<Lane, Arc<Notify>>>,
}

impl Lanes {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        let recorder = Recorder::new(parts.store.clone(), parts.clock.clone(), parts.mint.clone());
        Self { parts, recorder, due: Notify::new(), held: Mutex::default() }
    }

    /// Records results until `last`.
    pub(crate) fn start_recording(self: &Arc<Self>, last: watch::Receiver<bool>) -> JoinHandle<()> {
        let lanes = self.clone();
        tokio::spawn(async move { lanes.recorder.run(last).await })
    }

    /// Claims lanes as they fall due and lets each of them run, until `stop`.
    pub(crate) async fn dispatch(self: &Arc<Self>, mut stop: watch::Receiver<bool>, linger: bool) {
        let mut lanes = JoinSet::new();
        while !*stop.borrow() {
            let pause = match self.claim(&mut lanes, &stop, linger).await {
                Ok(pause) => pause,
                Err(cause) => {
                    tracing::error!(%cause, "lanes could not be claimed; deliveries wait");
                    BACK_OFF
                }
            };
            wait(&self.due, &mut stop, pause).await;
            while lanes.try_join_next().is_some() {}
        }
        while lanes.join_next().await.is_some() {}
    }

    /// Sends everything that is due at this moment and returns when it is recorded.
    pub(crate) async fn deliver_due(self: &Arc<Self>) -> Result<(), StoreError> {
        let (running, stop) = watch::channel(false);
        let (done, finished) = watch::channel(false);
        let recording = self.start_recording(finished);
        let mut lanes = JoinSet::new();
        self.claim(&mut lanes, &stop, false).await?;
        while lanes.join_next().await.is_some() {}
        drop(running);
        done.send_replace(true);
        recording.await.map_err(StoreError::broken)
    }

    /// Claims what is due; returns how long until something may be due again.
    async fn claim(
        self: &Arc<Self>,
        lanes: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
        linger: bool,
    ) -> Result<Duration, StoreError> {
        let parts = &self.parts;
        let now = parts.clock.now();
        let next = {
            let tx = parts.store.read().await?;
            lane::next_due(&tx).await?
        };
        let free = MOST_LANES.saturating_sub(lanes.len()) as i64;
        let wait = next.map_or(POLL, |due| Duration::from_millis(due.since(now).max(0) as u64).min(POLL));
        if free == 0 {
            return Ok(POLL); // a lane that ends rings
        }
        if !wait.is_zero() {
            return Ok(wait);
        }
        let lease: LeaseId = parts.mint.next();
        let claim = move |tx| async move { lane::claim(&tx, lease, now, now.plus(LEASE), free).await };
        let claimed = parts.store.write::<_, StoreError, _, _>(None, claim).await?;
        for lane in claimed {
            let bell = Arc::new(Notify::new());
            self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(lane, bell.clone());
            let all = self.clone();
            let stop = stop.clone();
            lanes.spawn(async move { all.work(lane, lease, bell, stop, linger).await });
        }
        Ok(Duration::from_millis(1))
    }

    /// Works a lane for as long as there is something to do in it, then gives it back.
    async fn work(
        self: Arc<Self>,
        lane: Lane,
        lease: LeaseId,
        bell: Arc<Notify>,
        stop: watch::Receiver<bool>,
        linger: bool,
    ) {
        let mut run = Run::new(self.clone(), lane, lease);
        if let Err(cause) = run.go(&bell, stop, linger).await {
            tracing::error!(%cause, company.id = %lane.company, webhook.id = %lane.webhook, "a lane stopped; it is taken up again");
        }
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&lane);
        let release = move |tx| async move { lane::release(&tx, lane, lease).await };
        if let Err(cause) = self.parts.store.write::<_, StoreError, _, _>(None, release).await {
            tracing::warn!(%cause, webhook.id = %lane.webhook, "a lane could not be given back; its lease runs out by itself");
        }
        self.due.notify_one();
    }

    /// Rings the bells of lanes that something was put into.
    pub(crate) fn ring(&self, lanes: &[Lane]) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unheld = false;
        for lane in lanes {
            match held.get(lane) {
                Some(bell) => bell.notify_one(),
                None => unheld = true,
            }
        }
        if unheld {
            self.due.notify_one();
        }
    }
}

/// What was sent, as far as the log keeps it, and what came of it.
struct Sent {
    reply: Reply,
    kept: Option<String>,
    url: String,
    shape: Option<&'static str>,
}

/// A lane at work.
struct Run {
    lanes: Arc<Lanes>,
    lane: Lane,
    lease: LeaseId,
    endpoint: Option<Arc<Endpoint>>,
    ahead: VecDeque<Due>,
    /// What was read and is not recorded yet.
    busy: HashSet<DeliveryId>,
    sending: FuturesUnordered<BoxFuture<'static, (Due, Sent)>>,
    recording: FuturesUnordered<BoxFuture<'static, (DeliveryId, bool)>>,
    /// Whether there may be more to read.
    more: bool,
    /// Whether sending has to end: stop, pause, lost lease, endpoint gone.
    ending: bool,
}

impl Run {
    fn new(lanes: Arc<Lanes>, lane: Lane, lease: LeaseId) -> Self {
        Self {
            lanes,
            lane,
            lease,
            endpoint: None,
            ahead: VecDeque::new(),
            busy: HashSet::new(),
            sending: FuturesUnordered::new(),
            recording: FuturesUnordered::new(),
            more: true,
            ending: false,
        }
    }

    async fn go(
        &mut self,
        bell: &Notify,
        mut stop: watch::Receiver<bool>,
        linger: bool,
    ) -> Result<(), StoreError> {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.tick().await; // the first is at once, and the lease is new
        let mut idle = 0;
        loop {
            if !self.ending {
                self.read_ahead().await?;
                self.send();
            }
            let resting = self.sending.is_empty() && self.recording.is_empty();
            if resting && (self.ending || !linger || idle > LINGER) {
                return Ok(());
            }
            tokio::select! {
                biased;
                Some((due, sent)) = self.sending.next() => {
                    idle = 0;
                    self.record(due, sent);
                }
                Some((id, held)) = self.recording.next() => {
                    self.busy.remove(&id);
                    self.ending |= !held;
                }
                _ = heartbeat.tick() => self.renew().await?,
                () = bell.notified(), if !self.more => self.more = true,
                () = stopped(&mut stop), if !self.ending => self.ending = true,
                () = tokio::time::sleep(POLL), if resting => {
                    self.more = true; // a retry may have fallen due, or another node may have routed something
                    idle += 1;
                }
            }
        }
    }

    /// Reads what is due, and the endpoint as it stands now.
    async fn read_ahead(&mut self) -> Result<(), StoreError> {
        if !self.more || self.ahead.len() >= AHEAD / 4 || self.recording.len() >= MOST_UNRECORDED {
            return Ok(());
        }
        self.look().await?;
        if self.ending {
            return Ok(());
        }
        let parts = &self.lanes.parts;
        let tx = parts.store.read().await?;
        let limit = AHEAD + self.busy.len();
        let due = delivery::due(&tx, self.lane, parts.clock.now(), limit as i64).await?;
        self.more = due.len() == limit;
        for due in due {
            if self.busy.insert(due.id) {
                self.ahead.push_back(due);
            }
        }
        Ok(())
    }

    /// Looks at the endpoint as it stands now, and ends the run if it takes nothing.
    async fn look(&mut self) -> Result<(), StoreError> {
        let parts = &self.lanes.parts;
        let tx = parts.store.read().await?;
        let stored = match webhook::get(&tx, self.lane.company, self.lane.webhook).await {
            Ok(stored) => stored,
            Err(StoreError::NotFound) => {
                self.ending = true;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        match stored.shape.status {
            Status::Enabled => {}
            Status::Paused => {
                self.ending = true;
                return Ok(());
            }
            Status::Disabled => return self.fail_waiting().await,
        }
        if self.endpoint.as_ref().is_none_or(|endpoint| endpoint.version != stored.version) {
            let keys = webhook::keys(&tx, self.lane.company, self.lane.webhook).await?;
            self.endpoint = Some(Arc::new(Endpoint::open(&stored, &keys, self.lane, &parts.key)?));
        }
        Ok(())
    }

    /// Ends what waits for an endpoint that was disabled meanwhile; it stays in the log as failed.
    async fn fail_waiting(&mut self) -> Result<(), StoreError> {
        self.ending = true;
        let (lane, now) = (self.lane, self.lanes.parts.clock.now());
        let end = move |tx| async move { delivery::end_waiting(&tx, lane, "failed", now).await };
        self.lanes.parts.store.write(None, end).await
    }

    /// Starts as many calls as the endpoint takes at once.
    fn send(&mut self) {
        let Some(endpoint) = &self.endpoint else { return };
        while self.sending.len() < endpoint.concurrency && self.recording.len() < MOST_UNRECORDED {
            let Some(due) = self.ahead.pop_front() else { break };
            let (parts, endpoint) = (self.lanes.parts.clone(), endpoint.clone());
            self.sending.push(Box::pin(async move {
                let now = parts.clock.now();
                let (reply, kept) = match request(&endpoint, &due, now) {
                    Ok(request) => {
                        let kept = kept(&endpoint, &request);
                        (parts.client.send(request, parts.clock.as_ref()).await, Some(kept))
                    }
                    Err(_) => (Reply::unsent(now), None),
                };
                (due, Sent { reply, kept, url: endpoint.url.to_string(), shape: endpoint.shape() })
            }));
        }
    }

    /// Decides what a reply leads to and hands it to the recorder.
    fn record(&mut self, due: Due, sent: Sent) {
        let Sent { reply, kept, url, shape } = sent;
        let parts = &self.lanes.parts;
        let number = due.attempts + 1;
        let attempt = outcome::Attempt {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            schedule: self.endpoint.as_ref().map_or(&SCHEDULE, |endpoint| &endpoint.schedule),
            due: due.first_due_at,
        };
        let now = parts.clock.now();
        let verdict = outcome(attempt, &reply.answer, now, parts.chance.unit());
        let (state, attempts, consequence) = match verdict {
            Outcome::Delivered => (State::Delivered, number, Consequence::Success),
            Outcome::Retry(at) => (State::Waiting(at, at), number, Consequence::Failure),
            Outcome::Defer(until) => {
                (State::Waiting(until, due.first_due_at), due.attempts, Consequence::Pause(until))
            }
            Outcome::Exhausted => (State::Failed, number, Consequence::Failure),
            Outcome::Gone => (State::Failed, number, Consequence::Gone),
        };
        if matches!(consequence, Consequence::Pause(_) | Consequence::Gone) {
            self.ending = true;
            self.ahead.clear();
        }
        let (status, error) = match reply.answer {
            outcome::Answer::Status { code, .. } => (Some(i64::from(code)), None),
            outcome::Answer::Failed(failure) => (None, Some(failure.as_str())),
        };
        let (id, lane) = (due.id, self.lane);
        let Reply { started_at, duration, body: response, headers, address, detail, .. } = reply;
        let address = address.map(|address| address.to_string());
        // Of a success nobody asks for them, and most attempts are one.
        let headers = headers.filter(|_| !matches!(status, Some(200..=299)));
        let attempt = Attempt {
            number,
            started_at,
            duration,
            status,
            error,
            detail,
            url,
            sent: kept,
            shape,
            address,
            headers,
            response,
        };
        tracing::debug!(
            company.id = %lane.company, webhook.id = %lane.webhook, event.id = %due.event.id, attempt = number,
            status, error, "an event was sent: {verdict:?}"
        );
        let settled = Settled { id, lane, state, attempts, attempt };
        let held = self.lanes.recorder.submit(Report { settled, lease: self.lease, consequence });
        self.recording.push(Box::pin(async move { (id, held.await) }));
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let (lane, lease) = (self.lane, self.lease);
        let until = self.lanes.parts.clock.now().plus(LEASE);
        let hold = move |tx| async move { lane::hold(&tx, lane, lease, until).await };
        let held = self.lanes.parts.store.write::<_, StoreError, _, _>(None, hold).await?;
        self.ending |= !held;
        if self.ending { Ok(()) } else { self.look().await } // a slow endpoint reads ahead seldom
    }
}
