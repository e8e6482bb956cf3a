//! The live end of every company's log. One watcher a node reads what is new once and hands it to all who listen;
//! a listener costs a seat, and neither a timer nor a query of its own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use orquiva_core::event::Types;
use orquiva_core::id::CompanyId;
use orquiva_core::{Clock, Code, Scope};
use orquiva_store::event::{self, Event, Log};
use orquiva_store::{Store, StoreError};
use tokio::sync::{Notify, broadcast, oneshot, watch};

use crate::problem::Problem;
use crate::tokens::{Grant, Tokens};

/// How often the watcher looks without being rung: events that another node has routed wait this long at most.
const POLL: Duration = Duration::from_millis(250);

/// Silence after which a listener is told that the line still stands, in milliseconds.
const BEAT: i64 = 15_000;

/// Events that are read and handed out together.
const BATCH: i64 = 256;

/// Batches that a listener may be behind before it is cut off.
const AHEAD: usize = 16;

/// Events that a listener reads at once while it catches up.
const CATCH_UP: i64 = 100;

/// The first lines of every stream: how long to wait before coming back, in milliseconds.
const RETRY: &str = "retry: 2000\n";

/// Who listens on this node, and what it takes to tell them.
pub struct Feed {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    tokens: Arc<Tokens>,
    routed: Arc<Notify>,
    seats: Mutex<Seats>,
}

/// The token of a request that stays open, to be looked at again.
#[derive(Clone)]
pub(crate) struct Pass {
    pub(crate) token: Arc<str>,
    pub(crate) grant: Arc<Grant>,
    /// Where it was sent from, if that is known.
    pub(crate) from: Option<IpAddr>,
    /// What had changed when it was looked at.
    pub(crate) changes: i64,
}

#[derive(Default)]
struct Seats {
    logs: HashMap<CompanyId, Listened>,
    /// The number of the next seat.
    next: u64,
    /// When the line was last said to stand.
    beat_at: i64,
    /// Whether this node is stopping.
    closed: bool,
}

/// A log that someone listens to.
struct Listened {
    /// Up to where it was handed out; unknown until the first listener has looked it up.
    told: Option<i64>,
    sender: broadcast::Sender<Told>,
    seats: HashMap<u64, Seat>,
}

/// A listener's place. When it is taken away, the listener ends.
struct Seat {
    pass: Pass,
    _cut: oneshot::Sender<()>,
}

/// What all listeners of a company are told.
#[derive(Clone)]
enum Told {
    /// There is something new.
    Events(Arc<Batch>),
    /// Nothing; the line stands.
    Beat,
}

/// Events that follow each other without a gap.
struct Batch {
    /// The sequence before the first.
    before: i64,
    events: Vec<Event>,
}

/// One who listens.
pub(crate) struct Listener {
    feed: Arc<Feed>,
    company: CompanyId,
    seat: u64,
    told: broadcast::Receiver<Told>,
    cut: oneshot::Receiver<()>,
    types: Option<Types>,
    /// Whether it may see what is sensitive.
    sensitive: bool,
    /// Up to where the log was read for it.
    seen: i64,
    /// The last sequence that it was told, so that it can come back there.
    named: i64,
    /// Whether there may be more in the log before the live end.
    behind: bool,
    /// What it is told first.
    greeting: String,
}

impl Feed {
    /// A feed that nobody listens to yet. `routed` is rung when events have got their place.
    pub(crate) fn new(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        tokens: Arc<Tokens>,
        routed: Arc<Notify>,
    ) -> Arc<Self> {
        let seats = Seats { beat_at: clock.elapsed(), ..Seats::default() };
        Arc::new(Self { store, clock, tokens, routed, seats: Mutex::new(seats) })
    }

    /// Watches over all who listen until `stop`, then sends them home.
    pub async fn watch(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let rung = tokio::select! {
                () = self.routed.notified() => true,
                _ = stop.wait_for(|stop| *stop) => break,
                () = tokio::time::sleep(POLL) => false,
            };
            // The embedded database has no other nodes: what was not rung for has not happened.
            if let Err(cause) = self.follow(rung || !self.store.is_embedded()).await {
                tracing::warn!(%cause, "those who listen to events cannot be told at the moment");
                tokio::time::sleep(POLL).await;
                self.routed.notify_one(); // what it rang for is still to be told
            }
        }
        self.close();
    }

    /// Looks once after all who listen: ends those whose token has ended, hands out what is new if `look` says
    /// that there may be something, and lets the others know that the line stands.
    pub async fn follow(&self, look: bool) -> Result<(), StoreError> {
        self.check_tokens().await?;
        let told = if look { self.told() } else { HashMap::new() };
        if !told.is_empty() {
            let companies: Vec<_> = told.keys().copied().collect();
            let tx = self.store.read().await?;
            for (company, last) in event::ends(&tx, &companies).await? {
                self.tell(company, told[&company], last).await?;
            }
        }
        self.beat();
        Ok(())
    }

    /// Lets a caller listen to its company's log from `after` on, or from its end; `refuse` says whether that is
    /// possible, given where the log stands.
    pub(crate) async fn listen(
        self: &Arc<Self>,
        pass: Pass,
        types: Option<Types>,
        after: Option<i64>,
        refuse: impl FnOnce(Log) -> Result<(), Problem>,
    ) -> Result<Listener, Problem> {
        let company = pass.grant.company;
        let sensitive = pass.grant.scopes.has(Scope::EmployeesSensitiveRead);
        let (seat, told, cut) = self.enter(pass)?;
        let mut listener = Listener {
            feed: self.clone(),
            company,
            seat,
            told,
            cut,
            types,
            sensitive,
            seen: 0,
            named: 0,
            behind: true,
            greeting: String::new(),
        };
        let log = event::log(&self.store.read().await?, company).await?;
        refuse(log)?;
        self.begin(company, log.last);
        let start = after.unwrap_or(log.last);
        (listener.seen, listener.named) = (start, start);
        let text = listener.catch_up().await?;
        // The id tells a client where it stands before anything has happened.
        listener.greeting = format!("{RETRY}id: {start}\n\n{text}");
        Ok(listener)
    }

    /// Ends the streams whose token has run out and, if something has changed, those whose token no longer counts.
    async fn check_tokens(&self) -> Result<(), StoreError> {
        let changes = self.tokens.changes();
        for (seat, pass) in self.suspects(changes) {
            let company = pass.grant.company;
            let holds =
                |grant: &Arc<Grant>| grant.scopes.has(Scope::EventsRead) && grant.allows(|| pass.from);
            match self.tokens.check(&pass.token).await?.filter(holds) {
                Some(grant) => self.renew(company, seat, Pass { grant, changes, ..pass }),
                None => self.leave(company, seat),
            }
        }
        Ok(())
    }

    /// Hands out a company's events after `from`, up to `last` at least.
    async fn tell(&self, company: CompanyId, mut from: i64, last: i64) -> Result<(), StoreError> {
        while from < last {
            let events = read(&self.store, company, from, None, BATCH).await?.events;
            let Some(end) = events.last().map(|last| last.sequence) else { break };
            self.hand_out(company, from, events);
            from = end;
        }
        Ok(())
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat, if the plan has one left.
    fn enter(&self, pass: Pass) -> Result<(u64, broadcast::Receiver<Told>, oneshot::Receiver<()>), Problem> {
        let (company, most) = (pass.grant.company, pass.grant.plan.max_streams());
        let mut seats = self.seats();
        if seats.closed {
            return Err(Code::Unavailable.into());
        }
        let number = seats.next;
        seats.next += 1;
        let log = seats.logs.entry(company).or_insert_with(|| Listened {
            told: None,
            sender: broadcast::channel(AHEAD).0,
            seats: HashMap::new(),
        });
        if log.seats.len() >= most {
            return Err(Problem::from(Code::TooManyStreams).because(
                format!("El plan admite {most} flujos abiertos a la vez. Cierre uno o lea GET /v1/events."),
                format!("The plan allows {most} open streams at once. Close one, or page GET /v1/events."),
            ));
        }
        let (_cut, cut) = oneshot::channel();
        log.seats.insert(number, Seat { pass, _cut });
        Ok((number, log.sender.subscribe(), cut))
    }

    /// Gives a seat back, or takes it away.
    fn leave(&self, company: CompanyId, seat: u64) {
        let mut seats = self.seats();
        if let Some(log) = seats.logs.get_mut(&company) {
            log.seats.remove(&seat);
            if log.seats.is_empty() {
                seats.logs.remove(&company);
            }
        }
    }

    /// Notes that a token still counts.
    fn renew(&self, company: CompanyId, seat: u64, pass: Pass) {
        let mut seats = self.seats();
        if let Some(seat) = seats.logs.get_mut(&company).and_then(|log| log.seats.get_mut(&seat)) {
            seat.pass = pass;
        }
    }

    /// Says where a log ends, if nobody has said so yet: what comes later is handed out.
    fn begin(&self, company: CompanyId, last: i64) {
        if let Some(log) = self.seats().logs.get_mut(&company) {
            log.told.get_or_insert(last);
        }
    }

    /// Up to where each log was handed out.
    fn told(&self) -> HashMap<CompanyId, i64> {
        let seats = self.seats();
        seats.logs.iter().filter_map(|(company, log)| Some((*company, log.told?))).collect()
    }

    /// Hands `events` out, if the log still stands where they begin.
    fn hand_out(&self, company: CompanyId, before: i64, events: Vec<Event>) {
        let (last, mut seats) = (events.last().map(|last| last.sequence), self.seats());
        if let Some(log) = seats.logs.get_mut(&company).filter(|log| log.told == Some(before)) {
            log.told = last.or(log.told);
            drop(log.sender.send(Told::Events(Batch { before, events }.into()))); // all may have left just now
        }
    }

    /// Tells everyone that the line stands, if it is time to.
    fn beat(&self) {
        let (now, mut seats) = (self.clock.elapsed(), self.seats());
        if now - seats.beat_at >= BEAT {
            seats.beat_at = now;
            for log in seats.logs.values() {
                drop(log.sender.send(Told::Beat)); // all may have left just now
            }
        }
    }

    /// The seats whose tokens have to be looked at.
    fn suspects(&self, changes: i64) -> Vec<(u64, Pass)> {
        let (now, seats) = (self.clock.now(), self.seats());
        let suspect =
            |(_, seat): &(&u64, &Seat)| seat.pass.changes != changes || now >= seat.pass.grant.expires;
        let all = seats.logs.values().flat_map(|log| &log.seats);
        all.filter(suspect).map(|(number, seat)| (*number, seat.pass.clone())).collect()
    }

    /// Ends every stream, and takes no new ones.
    fn close(&self) {
        let mut seats = self.seats();
        seats.closed = true;
        seats.logs.clear();
    }
}

/// A part of a company's log.
async fn read(
    store: &Store,
    company: CompanyId,
    after: i64,
    types: Option<Types>,
    limit: i64,
) -> Result<event::Page, StoreError> {
    let scan = move |tx| async move { event::page(&tx, company, Some(after), types.as_ref(), limit).await };
    store.scan(scan).await
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.feed.leave(self.company, self.seat);
    }
}

impl Listener {
    /// The next piece of the stream; nothing once it has ended. It ends with its token, with this node, and for one
    /// who reads too slowly: whoever comes back with the last id misses nothing.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        if !self.greeting.is_empty() {
            return Some(std::mem::take(&mut self.greeting).into());
        }
        loop {
            if self.behind {
                match Box::pin(self.catch_up()).await {
                    Ok(text) if text.is_empty() => {}
                    Ok(text) => return Some(text.into()),
                    Err(cause) => {
                        tracing::warn!(%cause, company.id = %self.company, "a stream of events ended early");
                        return None;
                    }
                }
                continue;
            }
            let told = tokio::select! {
                biased;
                _ = &mut self.cut => return None,
                told = self.told.recv() => told,
            };
            match told {
                Ok(Told::Beat) => return Some(self.beat().into()),
                Ok(Told::Events(batch)) if batch.before > self.seen => self.behind = true,
                Ok(Told::Events(batch)) => {
                    let text = self.tell(&batch.events);
                    self.seen = batch.events.last().map_or(self.seen, |last| self.seen.max(last.sequence));
                    if !text.is_empty() {
                        return Some(text.into());
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => {
                    return None;
                }
            }
        }
    }

    /// Reads on in the log itself, up to the live end.
    async fn catch_up(&mut self) -> Result<String, StoreError> {
        if self.cut.try_recv() != Err(oneshot::error::TryRecvError::Empty) {
            return Err(StoreError::Unavailable("its token or this node has ended".to_owned()));
        }
        // What is handed out from here on comes after what is read now, or is part of it.
        self.told = self.told.resubscribe();
        let page = read(&self.feed.store, self.company, self.seen, self.types.clone(), CATCH_UP).await?;
        if self.seen < page.log.expired {
            return Err(StoreError::NotFound); // coming back, it hears why
        }
        let full = page.events.len() as i64 == CATCH_UP;
        self.behind = full || page.through < page.log.last;
        let text = self.tell(&page.events);
        let end = page.events.last().filter(|_| full).map_or(page.through, |last| last.sequence);
        self.seen = self.seen.max(end);
        Ok(text)
    }

    /// The text of those of `events` that are new to it and that it asked for.
    fn tell(&mut self, events: &[Event]) -> String {
        let mut text = String::new();
        for event in events.iter().filter(|event| event.sequence > self.seen) {
            if self.types.as_ref().is_none_or(|types| types.have(&event.kind)) {
                let (id, kind) = (event.sequence, &event.kind);
                // Our JSON has no line breaks: within texts they are escaped.
                text.push_str(&format!(
                    "id: {id}\nevent: {kind}\ndata: {}\n\n",
                    event.envelope(self.sensitive)
                ));
                self.named = id;
            }
        }
        text
    }

    /// A comment, and the id if the log went on without anything of what it asked for.
    fn beat(&mut self) -> String {
        match std::mem::replace(&mut self.named, self.seen) == self.seen {
            true => ": still here\n\n".to_owned(),
            false => format!(": still here\nid: {}\n\n", self.seen),
        }
    }
}
