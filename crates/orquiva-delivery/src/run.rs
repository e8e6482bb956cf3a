//! One lane at work: it reads ahead, sends as fast as its endpoint and the node allow, and hands over what came of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use orquiva_core::id::{DeliveryId, LeaseId};
use orquiva_core::webhook::ahead::Ahead;
use orquiva_core::webhook::outcome::{self, SCHEDULE, outcome};
use orquiva_core::webhook::pace::{Call, Fate, Limits, News, Pace, Ready};
use orquiva_core::webhook::{Status, Webhook};
use orquiva_core::{Clock, Plan, Timestamp};
use orquiva_store::delivery::{Due, Reached, Settled, State};
use orquiva_store::lane::{Claimed, Known, Lane};
use orquiva_store::{Order, StoreError, Tx, delivery, lane, webhook};
use tokio::sync::watch;

use crate::call::{Sent, attempted, call};
use crate::endpoint::Endpoint;
use crate::mailbox::{Mailbox, Turns};
use crate::parts::{POLL, Parts, stopped};
use crate::recent::Recent;
use crate::recorder::{LEASE, Recorder, Report};
use crate::slots::{Slots, Wish};

/// How often a lease is renewed.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// A lane that is never empty looks this often for what nobody hands over: retries, and what other nodes put into it.
const AFRESH: i64 = 1_000;

/// How often what is remembered of an endpoint is stored though it is the same, in milliseconds.
const KEPT: i64 = 1_000;

/// Polls that an empty lane is kept for, so that the next event finds it claimed.
const LINGER: u32 = 40;

/// Most results of a lane that may wait to be recorded before it stops sending.
const MOST_UNRECORDED: usize = 512;

/// The longest that a lane is held only because it may not send yet, in milliseconds.
const MOST_HELD: i64 = 1_000;

/// What is recorded of a delivery.
struct Recorded {
    id: DeliveryId,
    placed: bool,
    /// Whether it is not sent again.
    over: bool,
    /// How often someone else has changed what is remembered of the endpoint; nothing if the lease no longer held.
    changes: Option<i64>,
}

/// What the lanes of a node share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) parts: Arc<Parts>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) turns: Turns,
    pub(crate) recent: Arc<Recent>,
}

/// A lane at work.
pub(crate) struct Run {
    shared: Shared,
    lane: Lane,
    plan: Plan,
    lease: LeaseId,
    known: Known,
    /// What of that was stored last, and when.
    kept: Option<(Pace, Timestamp)>,
    mailbox: Arc<Mailbox>,
    /// When the rows were last read from the beginning, and up to where since then if there are more.
    read_at: Timestamp,
    reached: Option<Reached>,
    endpoint: Option<Arc<Endpoint>>,
    /// How many are read ahead.
    most_ahead: usize,
    ahead: Ahead<Due>,
    /// A slot that is wished for, for the next call.
    wish: Option<Wish>,
    sending: FuturesUnordered<BoxFuture<'static, Sent>>,
    recording: FuturesUnordered<BoxFuture<'static, Recorded>>,
    /// When the next call may start, if that lies ahead.
    next_at: Option<Timestamp>,
    /// Whether there may be more to read.
    more: bool,
    /// Whether sending has to end: stop, pause, lost lease, endpoint gone.
    ending: bool,
    /// Whether what waits has to end as well: the endpoint is disabled or gone.
    hopeless: bool,
}

impl Run {
    /// One that reads up to `most_ahead` deliveries ahead.
    pub(crate) fn new(
        shared: Shared,
        most_ahead: usize,
        mailbox: Arc<Mailbox>,
        claimed: Claimed,
        lease: LeaseId,
    ) -> Self {
        let Claimed { lane, plan, known } = claimed;
        Self {
            shared,
            lane,
            plan,
            lease,
            known,
            kept: None,
            mailbox,
            read_at: Timestamp::default(),
            reached: None,
            endpoint: None,
            most_ahead,
            ahead: Ahead::default(),
            wish: None,
            sending: FuturesUnordered::new(),
            recording: FuturesUnordered::new(),
            next_at: None,
            more: true,
            ending: false,
            hopeless: false,
        }
    }

    /// Which lane, and by which lease.
    pub(crate) fn lease(&self) -> (Lane, LeaseId) {
        (self.lane, self.lease)
    }

    /// Where it hears of what is put into its lane.
    pub(crate) fn mailbox(&self) -> Arc<Mailbox> {
        self.mailbox.clone()
    }

    pub(crate) async fn go(
        &mut self,
        mut stop: watch::Receiver<bool>,
        linger: bool,
    ) -> Result<(), StoreError> {
        let mailbox = self.mailbox.clone();
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.tick().await; // the first is at once, and the lease is new
        let mut idle = 0;
        loop {
            if !self.ending {
                let read = self.read_ahead().await;
                self.go_on_after(read);
            }
            if !self.ending {
                self.send();
            }
            if self.ending {
                self.wish = None;
            }
            let resting = self.sending.is_empty() && self.recording.is_empty() && self.wish.is_none();
            if resting && (self.ending || !linger || idle > LINGER) {
                return self.end_waiting(&stop).await;
            }
            let ahead = self.next_at.filter(|_| !self.ending);
            let pause = ahead.map(|at| at.since(self.shared.parts.clock.steady()).max(1) as u64);
            tokio::select! {
                biased;
                Some(sent) = self.sending.next() => {
                    idle = 0;
                    self.record(sent);
                }
                Some(recorded) = self.recording.next() => {
                    self.ahead.settle(recorded.id, recorded.placed, recorded.over);
                    match recorded.changes {
                        Some(changes) if changes == self.known.changes => {}
                        Some(_) => {
                            let learnt = self.learn().await;
                            self.go_on_after(learnt);
                        }
                        None => self.ending = true,
                    }
                }
                () = granted(&mut self.wish) => {}
                _ = heartbeat.tick() => {
                    let renewed = self.renew().await;
                    self.go_on_after(renewed);
                }
                () = mailbox.rung(), if !self.more => self.collect(),
                () = stopped(&mut stop), if !self.ending => self.ending = true,
                () = tokio::time::sleep(Duration::from_millis(pause.unwrap_or_default())), if pause.is_some() => {}
                () = tokio::time::sleep(POLL), if resting && pause.is_none() => {
                    self.more = true; // a retry may have fallen due, or another node may have routed something
                    idle += 1;
                }
            }
        }
    }

    /// If the database refused something, what is under way is finished, and the lane is taken up again afterwards.
    fn go_on_after(&mut self, done: Result<(), StoreError>) {
        if let Err(cause) = done {
            if !self.ending {
                let Lane { company, webhook } = self.lane;
                tracing::error!(%cause, company.id = %company, webhook.id = %webhook, "a lane stops; it is taken up again");
            }
            self.ending = true;
        }
    }

    /// When the lane may be taken up again, as far as the rate of its endpoint is concerned.
    pub(crate) fn not_before(&self) -> Timestamp {
        self.next_at.unwrap_or_default()
    }

    /// Whether there is more to be ended in the lane, which nobody else would look for: its lease is to run out by itself.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.hopeless
    }

    /// Takes what was handed over, unless there is something to read.
    fn collect(&mut self) {
        let handed = self.mailbox.take(self.endpoint.as_ref().map(|endpoint| endpoint.version));
        self.more = self.is_late(self.shared.parts.clock.steady())
            || handed.is_none()
            || self.ahead.waiting() >= self.most_ahead;
        if !self.more {
            for due in handed.unwrap_or_default() {
                self.ahead.add(due.id, due.placed, due);
            }
        }
    }

    /// Reads what is due, and the endpoint as it stands now.
    async fn read_ahead(&mut self) -> Result<(), StoreError> {
        let enough = self.ahead.waiting() >= self.most_ahead.div_ceil(4);
        if !self.more || enough || self.recording.len() >= MOST_UNRECORDED {
            return Ok(());
        }
        self.mailbox.begin_reading();
        let now = self.shared.parts.clock.steady();
        if self.reached.is_none() || self.is_late(now) {
            (self.read_at, self.reached) = (now, None);
        }
        let tx = self.shared.parts.store.read().await?;
        let endpoint = webhook::get(&tx, self.lane.company, self.lane.webhook);
        let bounds = (self.most_ahead, self.ahead.known());
        let reading = delivery::due(&tx, self.lane, now, bounds, self.reached);
        let (endpoint, reading) = tokio::join!(biased; endpoint, reading);
        let forgot = self.look_at(endpoint).await?;
        if self.ending {
            return Ok(());
        }
        let reading = reading?;
        let recent = &self.shared.recent;
        for due in recent.with_events(&tx, self.lane.company, reading.due).await? {
            self.ahead.add(due.id, due.placed, due);
        }
        if forgot && self.reached.is_some() {
            (self.more, self.reached) = (true, None); // what was forgotten lies before that
        } else {
            (self.more, self.reached) = (reading.has_more, reading.reached);
        }
        self.mailbox.end_reading(self.shared.turns.next());
        Ok(())
    }

    /// Whether the rows were not read from the beginning for long.
    fn is_late(&self, now: Timestamp) -> bool {
        now.since(self.read_at) >= AFRESH
    }

    /// Looks at the endpoint as it stands now.
    async fn look(&mut self) -> Result<(), StoreError> {
        let tx = self.shared.parts.store.read().await?;
        let stored = webhook::get(&tx, self.lane.company, self.lane.webhook).await;
        if self.look_at(stored).await? {
            (self.more, self.reached) = (true, None);
        }
        Ok(())
    }

    /// Makes itself ready for what the endpoint has become, and ends the run if it takes nothing. Whether it forgot what
    /// was read ahead: another version may want another order.
    async fn look_at(&mut self, stored: Result<Webhook, StoreError>) -> Result<bool, StoreError> {
        let stored = match stored {
            Ok(stored) => stored,
            Err(StoreError::NotFound) => {
                (self.ending, self.hopeless) = (true, true);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        (self.ending, self.hopeless) = match stored.shape.status {
            Status::Enabled => (self.ending, self.hopeless),
            Status::Paused => (true, self.hopeless),
            Status::Disabled => (true, true),
        };
        if self.ending {
            return Ok(false);
        }
        let is_another = self.endpoint.as_ref().is_none_or(|endpoint| endpoint.version != stored.version);
        if is_another {
            let tx = self.shared.parts.store.read().await?;
            let keys = webhook::keys(&tx, self.lane.company, self.lane.webhook).await?;
            self.endpoint =
                Some(Arc::new(Endpoint::open(&stored, &keys, self.lane, &self.shared.parts.key)?));
            self.ahead.clear();
        }
        Ok(is_another)
    }

    /// Goes on from what someone else has made of what is remembered of the endpoint.
    async fn learn(&mut self) -> Result<(), StoreError> {
        let tx = self.shared.parts.store.read().await?;
        match lane::known(&tx, self.lane).await {
            Ok(known) => (self.known, self.kept) = (known, None),
            Err(StoreError::NotFound) => self.ending = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Ends what waits if the endpoint is disabled or gone, piece by piece; it stays in the log.
    async fn end_waiting(&mut self, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
        while self.hopeless && !*stop.borrow() {
            let (lane, lease, clock) = (self.lane, self.lease, self.shared.parts.clock.clone());
            let end = move |tx| async move { end_piece(&tx, lane, lease, clock.as_ref()).await };
            self.hopeless = self.shared.parts.store.write_in(Order::First, None, end).await?;
        }
        Ok(())
    }

    /// Starts as many calls as the endpoint and the node take at once.
    fn send(&mut self) {
        let Some(endpoint) = self.endpoint.clone() else { return };
        self.next_at = None;
        while self.recording.len() < MOST_UNRECORDED {
            let Some(next) = self.ahead.next() else { break };
            let now = self.shared.parts.clock.steady();
            match self.known.pace.ready(endpoint.limits, self.sending.len(), now) {
                Ready::Now => {}
                Ready::Later => break,
                Ready::At(at) => {
                    self.next_at = Some(at);
                    self.ending |= at.since(now) > MOST_HELD;
                    break;
                }
            }
            let first = next.attempts == 0;
            let wish = self.wish.get_or_insert_with(|| self.shared.slots.ask(self.lane, self.plan, first));
            let Some(slot) = wish.take() else { return };
            self.wish = None;
            if let Some(due) = self.ahead.take() {
                let probe = self.known.pace.start(endpoint.limits, now);
                self.sending.push(Box::pin(call(
                    self.shared.parts.clone(),
                    endpoint.clone(),
                    due,
                    probe,
                    slot,
                )));
            }
        }
        self.wish = None;
    }

    /// Decides what a reply leads to and hands it to the recorder.
    fn record(&mut self, sent: Sent) {
        let Sent { due, probe, reply, .. } = &sent;
        let now = self.shared.parts.clock.steady();
        let schedule = self.endpoint.as_ref().map_or(&SCHEDULE[..], |endpoint| &endpoint.schedule);
        let number = due.attempts + 1;
        let attempt = outcome::Attempt {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            schedule,
            due: due.first_due_at,
        };
        let outcome = outcome(attempt, &reply.answer, now, self.shared.parts.chance.unit());
        let call = Call { delivery: due.id, first_due: due.first_due_at, probe: *probe };
        let limits = self.endpoint.as_ref().map_or(Limits::default(), |endpoint| endpoint.limits);
        let verdict = self.known.pace.settle(call, outcome, limits, now);
        let (state, attempts) = match verdict.fate {
            Fate::Delivered => (State::Delivered, number),
            Fate::Again { due: at, first_due, spent } => {
                (State::Waiting(at, first_due), if spent { number } else { due.attempts })
            }
            Fate::Failed => (State::Failed, number),
        };
        tracing::debug!(
            company.id = %self.lane.company, webhook.id = %self.lane.webhook, event.id = %due.event.id,
            attempt = number, "an event was sent: {outcome:?}"
        );
        self.hopeless |= matches!(verdict.news, Some(News::Disabled(_)));
        if verdict.rests {
            self.ending = true;
            self.ahead.clear();
        }
        let (id, placed, over) = (due.id, due.placed, !matches!(state, State::Waiting(..)));
        let settled = Settled { id, lane: self.lane, state, attempts, attempt: attempted(number, sent) };
        let success = (verdict.fate == Fate::Delivered).then(|| self.shared.parts.clock.now());
        let keeps = verdict.news.is_some() || !self.has_kept(KEPT, now);
        if keeps {
            self.kept = Some((self.known.pace.clone(), now));
        }
        let known = self.known.clone();
        let report = Report { settled, lease: self.lease, known, keeps, success, news: verdict.news };
        let recorded = self.shared.recorder.submit(report);
        self.recording.push(Box::pin(async move { Recorded { id, placed, over, changes: recorded.await } }));
    }

    /// Whether what is remembered of the endpoint was stored within so many milliseconds as it is now, and the lease
    /// prolonged with it.
    fn has_kept(&self, within: i64, now: Timestamp) -> bool {
        self.kept.as_ref().is_some_and(|(pace, at)| *pace == self.known.pace && now.since(*at) < within)
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let (lane, lease) = (self.lane, self.lease);
        let now = self.shared.parts.clock.steady();
        if !self.has_kept(HEARTBEAT.as_millis() as i64, now) {
            let hold = move |tx| async move { lane::hold(&tx, lane, lease, now.plus(LEASE)).await };
            let held = self.shared.parts.store.write::<_, StoreError, _, _>(None, hold).await?;
            self.ending |= !held;
        }
        if self.ending { Ok(()) } else { self.look().await } // a slow endpoint reads ahead seldom
    }
}

/// Ends a piece of what waits in a lane whose endpoint is disabled or gone; whether there may be more. The lane of one that
/// is gone goes with the last piece.
async fn end_piece(tx: &Tx, lane: Lane, lease: LeaseId, clock: &dyn Clock) -> Result<bool, StoreError> {
    let (state, gone) = match webhook::hold(tx, lane.company, lane.webhook).await {
        Ok(endpoint) if endpoint.shape.status == Status::Disabled => ("failed", false),
        Ok(_) => return Ok(false), // it was enabled again: the rest is sent
        Err(StoreError::NotFound) => ("cancelled", true),
        Err(error) => return Err(error),
    };
    if !lane::hold(tx, lane, lease, clock.steady().plus(LEASE)).await? {
        return Ok(false);
    }
    let more = delivery::end_some(tx, lane, state, clock.now()).await? == delivery::PIECE;
    if gone && !more {
        lane::delete(tx, lane).await?;
    }
    Ok(more)
}

/// Waits until a wish is granted, and for ever if there is none.
async fn granted(wish: &mut Option<Wish>) {
    match wish {
        Some(wish) => wish.granted().await,
        None => std::future::pending().await,
    }
}
