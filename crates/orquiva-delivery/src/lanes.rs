//! Lanes at work: each is leased, sends with its own bounded concurrency, and lingers a little for what comes next,
//! so one dead or slow endpoint never delays another.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orquiva_core::Plan;
use orquiva_core::id::LeaseId;
use orquiva_store::lane::Lane;
use orquiva_store::{StoreError, lane};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::mailbox::{Handed, Mailbox, Turns};
use crate::parts::{BACK_OFF, POLL, Parts, insist, wait};
use crate::recorder::{LEASE, Recorder};
use crate::run::{Run, Shared};
use crate::slots::Slots;

/// Most lanes that this node holds at once: one company, whose plan bounds its endpoints, never has more than an eighth.
const MOST_LANES: usize = 4096;

/// Deliveries that all lanes of this node read ahead, about.
const AHEAD: usize = 16 * 1024;

const _: () = assert!(8 * Plan::Enterprise.max_webhooks() <= MOST_LANES as i64);

/// The lanes of this node, and what they share.
pub(crate) struct Lanes {
    pub(crate) parts: Arc<Parts>,
    shared: Shared,
    /// Rung when a lane may be due.
    due: Notify,
    /// The lanes that this node holds, and where each hears of what is put into it.
    held: Mutex<HashMap<Lane, Arc<Mailbox>>>,
    pub(crate) turns: Turns,
}

impl Lanes {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        let recorder = Recorder::new(parts.store.clone(), parts.clock.clone(), parts.mint.clone());
        let turns = Turns::default();
        let shared = Shared {
            parts: parts.clone(),
            recorder: Arc::new(recorder),
            slots: Slots::new(),
            turns: turns.clone(),
            recent: Arc::default(),
        };
        Self { parts, shared, due: Notify::new(), held: Mutex::default(), turns }
    }

    /// Records results until `last`.
    pub(crate) fn start_recording(self: &Arc<Self>, last: watch::Receiver<bool>) -> JoinHandle<()> {
        let recorder = self.shared.recorder.clone();
        tokio::spawn(async move { recorder.run(last).await })
    }

    /// Writes down how deliveries came out.
    pub(crate) async fn write_counts(&self) -> Result<(), StoreError> {
        self.shared.recorder.tally.write(&self.parts.store).await
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
        let now = parts.clock.steady();
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
        let holder = parts.holder.clone();
        let claim = move |tx| async move {
            lane::claim(&tx, lease, holder.as_deref(), now, now.plus(LEASE), free).await
        };
        let claimed = parts.store.write::<_, StoreError, _, _>(None, claim).await?;
        for claimed in claimed {
            let most = self.ahead();
            let mailbox = Arc::new(Mailbox::new(most));
            self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(claimed.lane, mailbox.clone());
            let run = Run::new(self.shared.clone(), most, mailbox, claimed, lease);
            let all = self.clone();
            let stop = stop.clone();
            // A node that is nearly full keeps no lane for what may come.
            let linger = linger && lanes.len() < MOST_LANES / 4 * 3;
            lanes.spawn(async move { all.work(run, stop, linger).await });
        }
        Ok(Duration::from_millis(1))
    }

    /// Works a lane for as long as there is something to do in it, then gives it back.
    async fn work(self: Arc<Self>, mut run: Run, stop: watch::Receiver<bool>, linger: bool) {
        let (lane, lease) = run.lease();
        let mailbox = run.mailbox();
        if let Err(cause) = run.go(stop, linger).await {
            tracing::error!(%cause, company.id = %lane.company, webhook.id = %lane.webhook, "what waits in a lane could not be ended; it is taken up again");
        }
        let (not_before, unfinished) = (run.not_before(), run.is_unfinished());
        drop(run);
        self.give_up(lane, &mailbox);
        if unfinished {
            return;
        }
        let release = move |tx| async move { lane::release(&tx, lane, lease, not_before).await };
        if let Err(cause) = insist(&self.parts.store, release).await {
            tracing::warn!(%cause, webhook.id = %lane.webhook, "a lane could not be given back; its lease runs out by itself");
        }
        self.due.notify_one();
    }

    /// Forgets a lane that this node held, unless it took it again: its lease had run out because the clock was set.
    fn give_up(&self, lane: Lane, mailbox: &Arc<Mailbox>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.get(&lane).is_some_and(|held| Arc::ptr_eq(held, mailbox)) {
            held.remove(&lane);
        }
    }

    /// How far each lane reads ahead: the less the more lanes there are.
    fn ahead(&self) -> usize {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).len();
        (AHEAD / held.max(1)).clamp(4, 64)
    }

    /// Hands over what someone who began at `began` has put into lanes.
    pub(crate) fn hand_over(&self, began: u64, handed: BTreeMap<Lane, Handed>) {
        for (lane, handed) in &handed {
            self.shared.recent.keep(lane.company, handed.due.iter().map(|due| due.event.clone()));
        }
        self.tell(handed.into_iter(), |mailbox, handed| mailbox.hand_over(began, handed));
    }

    /// Rings the bells of lanes that something was put into.
    pub(crate) fn ring(&self, lanes: &[Lane]) {
        self.tell(lanes.iter().map(|lane| (*lane, ())), |mailbox, ()| mailbox.ring());
    }

    /// Tells those lanes that this node holds; others have to be claimed.
    fn tell<T>(&self, lanes: impl Iterator<Item = (Lane, T)>, tell: impl Fn(&Mailbox, T)) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unheld = false;
        for (lane, what) in lanes {
            match held.get(&lane) {
                Some(mailbox) => tell(mailbox, what),
                None => unheld = true,
            }
        }
        if unheld {
            self.due.notify_one();
        }
    }
}
