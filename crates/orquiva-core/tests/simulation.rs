//! A week of deliveries on a virtual clock: companies with endpoints that are well, dead, slow, moody or gone, a node that
//! dies now and then, and the very rules by which the worker runs (`webhook::{pace, ahead, slots, outcome}`). Whatever the
//! seed, nothing is lost, early, out of order or over its budget, and who is well does not wait for who is not.
//!
//! `ORQUIVA_SEEDS` says how many weeks; a failure names its seed, and `ORQUIVA_SEED` runs that one alone.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use orquiva_core::chance::SeededChance;
use orquiva_core::id::{CompanyId, DeliveryId, Mint, WebhookId};
use orquiva_core::time::FrozenClock;
use orquiva_core::webhook::ahead::Ahead;
use orquiva_core::webhook::outcome::{Answer, Attempt, Failure, Outcome, Phase, SCHEDULE, outcome};
use orquiva_core::webhook::pace::{Call, Fate, GIVEN_UP, Limits, News, Pace, Ready};
use orquiva_core::webhook::slots::Slots;
use orquiva_core::{Chance, Plan, Timestamp};

const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;
const WEEK: i64 = 7 * 24 * HOUR;
const TIMEOUT: i64 = 15 * SECOND;
/// How long the lanes of a dead node rest.
const LEASE: i64 = 10 * SECOND;
/// Calls at once on the node.
const SLOTS: usize = 8;

/// How an endpoint answers, until the week is over: then everyone is well.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Well,
    Dead,
    Hangs,
    /// Fails in every other span of so many milliseconds.
    Flaps(i64),
    /// Takes all but every so many-th delivery.
    Picky(usize),
    /// Says 503 with `Retry-After` at times.
    Busy,
    /// Says 410 from this moment on.
    Gone(Timestamp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Arrival(usize),
    Due(usize),
    Over { delivery: usize, life: u32, probe: bool },
    Crash,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waiting,
    Delivered,
    Failed,
}

struct Delivery {
    id: DeliveryId,
    lane: usize,
    state: State,
    attempts: usize,
    due: Timestamp,
    first_due: Timestamp,
    created: Timestamp,
    /// How many waited in its lane when it came, itself included.
    rank: i64,
    calling: bool,
}

struct Lane {
    company: CompanyId,
    webhook: WebhookId,
    plan: Plan,
    limits: Limits,
    ordered: bool,
    mood: Mood,
    enabled: bool,
    pace: Pace,
    /// When it can be claimed, unless it is.
    due: Option<Timestamp>,
    run: Option<Run>,
    /// What waits, in the order of its coming.
    waiting: Vec<usize>,
    starts: VecDeque<Timestamp>,
    probe_failed: Option<Timestamp>,
    last_success: Option<Timestamp>,
    warnings: usize,
}

struct Run {
    pace: Pace,
    ahead: Ahead<usize>,
    busy: usize,
    wishes: bool,
    ending: bool,
    next_at: Timestamp,
}

struct World {
    seed: u64,
    now: Timestamp,
    chance: SeededChance,
    mint: Mint,
    coming: BinaryHeap<Reverse<(Timestamp, u64, Happening)>>,
    count: u64,
    lanes: Vec<Lane>,
    deliveries: Vec<Delivery>,
    slots: Slots,
    life: u32,
    last_crash: Timestamp,
}

impl World {
    fn new(seed: u64) -> Self {
        let chance = SeededChance::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mint = Mint::new(Arc::new(FrozenClock::at(START)), Arc::new(SeededChance::new(seed)));
        let mut world = Self {
            seed,
            now: START,
            chance,
            mint,
            coming: BinaryHeap::new(),
            count: 0,
            lanes: Vec::new(),
            deliveries: Vec::new(),
            slots: Slots::new(SLOTS),
            life: 0,
            last_crash: START,
        };
        for _ in 0..1 + world.below(4) {
            let (company, plan) = (world.mint.next(), Plan::ALL[world.below(3)]);
            for _ in 0..1 + world.below(3) {
                world.add_lane(company, plan);
            }
        }
        for _ in 0..world.below(4) {
            let at = START.plus(world.below(WEEK as usize) as i64);
            world.at(at, Happening::Crash);
        }
        world
    }

    fn below(&self, most: usize) -> usize {
        (self.chance.unit() * most as f64) as usize
    }

    fn at(&mut self, moment: Timestamp, what: Happening) {
        self.count += 1;
        self.coming.push(Reverse((moment, self.count, what)));
    }

    fn add_lane(&mut self, company: CompanyId, plan: Plan) {
        let mood = match self.below(10) {
            0..=2 => Mood::Well,
            3 => Mood::Dead,
            4 => Mood::Hangs,
            5 | 6 => Mood::Flaps(SECOND * [20, 300, 7_200, 100_000][self.below(4)]),
            7 => Mood::Picky(2 + self.below(20)),
            8 => Mood::Busy,
            _ => Mood::Gone(START.plus(self.below(2 * WEEK as usize) as i64)),
        };
        let ordered = self.below(4) == 0;
        let per_second = (self.below(3) == 0).then(|| 1 + self.below(40) as i64);
        let lane = self.lanes.len();
        self.lanes.push(Lane {
            company,
            webhook: self.mint.next(),
            plan,
            limits: Limits { at_once: 1 + self.below(6), per_second },
            ordered,
            mood,
            enabled: true,
            pace: Pace::default(),
            due: None,
            run: None,
            waiting: Vec::new(),
            starts: VecDeque::new(),
            probe_failed: None,
            last_success: None,
            warnings: 0,
        });
        for _ in 0..1 + self.below(6) {
            let burst = START.plus(self.below(WEEK as usize) as i64);
            for _ in 0..1 + self.below(12) {
                let at = burst.plus(self.below(3_000) as i64);
                self.at(at, Happening::Arrival(lane));
            }
        }
    }

    fn run(mut self) {
        while let Some(Reverse((now, _, what))) = self.coming.pop() {
            self.now = now;
            match what {
                Happening::Arrival(lane) => self.arrive(lane),
                Happening::Due(lane) => self.claim(lane),
                Happening::Over { delivery, life, probe } if life == self.life => self.over(delivery, probe),
                Happening::Over { .. } => {}
                Happening::Crash => self.crash(),
            }
            self.serve();
        }
        for (number, delivery) in self.deliveries.iter().enumerate() {
            let lane = &self.lanes[delivery.lane];
            let spent = delivery.attempts == SCHEDULE.len() || !lane.enabled;
            let ended = delivery.state == State::Delivered || (delivery.state == State::Failed && spent);
            assert!(ended, "{}: delivery {number} to {:?} is lost", self.seed, lane.mood);
        }
        assert_eq!(self.slots.free(), SLOTS, "{}: every slot is given back", self.seed);
    }

    fn arrive(&mut self, lane: usize) {
        if !self.lanes[lane].enabled {
            return;
        }
        let rank = 1 + self.lanes[lane].waiting.len() as i64;
        let number = self.deliveries.len();
        self.deliveries.push(Delivery {
            id: self.mint.next(),
            lane,
            state: State::Waiting,
            attempts: 0,
            due: self.now,
            first_due: self.now,
            created: self.now,
            rank,
            calling: false,
        });
        self.lanes[lane].waiting.push(number);
        if self.lanes[lane].run.is_some() {
            return self.go_on(lane);
        }
        // As `lane::mark_due`.
        let due = self.now.max(self.lanes[lane].pace.rests_until());
        self.lanes[lane].due = Some(due);
        self.at(due, Happening::Due(lane));
    }

    fn claim(&mut self, number: usize) {
        let lane = &mut self.lanes[number];
        if lane.run.is_some() || !lane.enabled || lane.due.is_none_or(|due| due > self.now) {
            return;
        }
        lane.due = None;
        let pace = lane.pace.clone();
        lane.run = Some(Run {
            pace,
            ahead: Ahead::default(),
            busy: 0,
            wishes: false,
            ending: false,
            next_at: START,
        });
        self.go_on(number);
    }

    /// What is due in a lane, as `delivery::due` has it.
    fn due(&self, lane: usize) -> Vec<usize> {
        let mut found = self.lanes[lane].waiting.clone();
        if self.lanes[lane].ordered {
            return found.into_iter().take_while(|one| self.deliveries[*one].due <= self.now).collect();
        }
        found.retain(|one| self.deliveries[*one].due <= self.now);
        found.sort_by_key(|one| (self.deliveries[*one].due, *one));
        let (first, again): (Vec<usize>, Vec<usize>) =
            found.into_iter().partition(|one| self.deliveries[*one].attempts == 0);
        let turns = |line: usize, found: Vec<usize>| {
            found.into_iter().enumerate().map(move |(at, one)| ((at + 1) * line, line, one))
        };
        let mut turned: Vec<_> = turns(1, first).chain(turns(4, again)).collect();
        turned.sort_unstable();
        turned.into_iter().map(|(_, _, one)| one).collect()
    }

    /// Reads ahead, asks for a slot if a call may start, and gives the lane back if nothing is left to do.
    fn go_on(&mut self, number: usize) {
        let due = self.due(number);
        let lane = &mut self.lanes[number];
        let Some(run) = &mut lane.run else { return };
        if !run.ending {
            for one in due {
                run.ahead.add(self.deliveries[one].id, lane.ordered, one);
            }
        }
        let next = run.ahead.next().copied().filter(|_| !run.ending);
        let ready = next.map(|next| (next, run.pace.ready(lane.limits, run.busy, self.now)));
        match ready {
            Some((next, Ready::Now)) if !run.wishes => {
                run.wishes = true;
                let first = self.deliveries[next].attempts == 0;
                self.slots.ask(lane.company, lane.webhook, lane.plan, first);
            }
            Some((_, Ready::At(at))) => run.next_at = at,
            Some(_) | None => {}
        }
        if run.ending && run.wishes {
            run.wishes = false;
            self.slots.withdraw(lane.company, lane.webhook);
        }
        if run.busy == 0 && !run.wishes {
            self.release(number);
        }
    }

    /// As `lane::release`.
    fn release(&mut self, number: usize) {
        let lane = &mut self.lanes[number];
        let Some(run) = lane.run.take() else { return };
        let mut waiting = lane.waiting.iter().map(|one| self.deliveries[*one].due);
        let next = if lane.ordered { waiting.next() } else { waiting.min() };
        lane.due = next.map(|due| due.max(lane.pace.rests_until()).max(run.next_at));
        if let Some(due) = lane.due {
            self.at(due, Happening::Due(number));
        }
    }

    fn serve(&mut self) {
        while let Some((_, webhook)) = self.slots.serve() {
            let number =
                self.lanes.iter().position(|lane| lane.webhook == webhook).expect("a lane that asked");
            self.start(number);
            self.go_on(number);
        }
    }

    fn start(&mut self, number: usize) {
        let lane = &mut self.lanes[number];
        let run = lane.run.as_mut().expect("a lane that asked is held");
        run.wishes = false;
        let ready = run.pace.ready(lane.limits, run.busy, self.now) == Ready::Now;
        let Some(next) = run.ahead.take().filter(|_| ready) else {
            return self.slots.give_back(lane.company);
        };
        let probe = run.pace.start(lane.limits, self.now);
        run.busy += 1;
        let rests_until = run.pace.rests_until();
        self.check_start(number, next, probe, rests_until);
        self.deliveries[next].calling = true;
        let time = self.time(number, next);
        let life = self.life;
        self.at(self.now.plus(time), Happening::Over { delivery: next, life, probe });
    }

    fn check_start(&mut self, number: usize, next: usize, probe: bool, rests_until: Timestamp) {
        let (seed, now) = (self.seed, self.now);
        let delivery = &self.deliveries[next];
        let (due, created, rank) = (delivery.due, delivery.created, delivery.rank);
        assert!(delivery.state == State::Waiting && !delivery.calling, "{seed}: sent twice at once");
        assert!(due <= now && rests_until <= now, "{seed}: too early");
        let first = delivery.attempts == 0 && delivery.first_due == delivery.due;
        let lane = &mut self.lanes[number];
        assert!(lane.enabled, "{seed}: a disabled endpoint is called");
        let busy = lane.run.as_ref().map_or(0, |run| run.busy);
        assert!(busy <= lane.limits.at_once, "{seed}: more at once than it takes");
        if probe {
            assert_eq!(busy, 1, "{seed}: a probe goes alone");
            let last = lane.probe_failed.map_or(i64::MAX, |last| now.since(last));
            assert!(last >= 30 * SECOND, "{seed}: a probe too soon");
        }
        lane.starts.push_back(now);
        while lane.starts.front().is_some_and(|start| now.since(*start) >= SECOND) {
            lane.starts.pop_front();
        }
        let rate = lane.limits.per_second.unwrap_or(i64::MAX);
        assert!(lane.starts.len() as i64 <= rate, "{seed}: faster than its rate");
        if lane.ordered {
            assert_eq!(lane.waiting.first(), Some(&next), "{seed}: one passed another that comes first");
        }
        // Who is well waits for its own only, whatever others do: two of the longest calls for each.
        let calm = lane.mood == Mood::Well && lane.limits.per_second.is_none();
        if calm && first && created > self.last_crash {
            assert!(
                now.since(created) <= 2 * TIMEOUT * rank,
                "{seed}: waited {} s",
                now.since(created) / SECOND
            );
        }
    }

    fn time(&self, lane: usize, delivery: usize) -> i64 {
        match self.answer(lane, delivery) {
            Answer::Failed(Failure::Timeout(_)) => TIMEOUT,
            Answer::Failed(_) => 1 + self.below(5_000) as i64,
            Answer::Status { .. } => 1 + self.below(300) as i64,
        }
    }

    fn answer(&self, lane: usize, delivery: usize) -> Answer {
        let status = |code| Answer::Status { code, retry_after: None };
        let now = self.now;
        match self.lanes[lane].mood {
            Mood::Gone(at) if now >= at => status(410),
            _ if now.since(START) > WEEK => status(204),
            Mood::Dead => Answer::Failed(Failure::Connect),
            Mood::Hangs => Answer::Failed(Failure::Timeout(Phase::Answer)),
            Mood::Flaps(span) if now.since(START) / span % 2 == 1 => status(500),
            Mood::Picky(every) if delivery.is_multiple_of(every) => status(422),
            Mood::Busy if self.below(4) == 0 => {
                Answer::Status { code: 503, retry_after: Some(1 + self.below(90_000) as i64) }
            }
            Mood::Well | Mood::Busy | Mood::Flaps(_) | Mood::Picky(_) | Mood::Gone(_) => status(204),
        }
    }

    fn over(&mut self, one: usize, probe: bool) {
        let number = self.deliveries[one].lane;
        let answer = self.answer(number, one);
        let delivery = &mut self.deliveries[one];
        let attempt =
            Attempt { number: delivery.attempts as u32 + 1, schedule: &SCHEDULE, due: delivery.first_due };
        let outcome = outcome(attempt, &answer, self.now, self.chance.unit());
        let lane = &mut self.lanes[number];
        let run = lane.run.as_mut().expect("a lane with a call is held");
        run.busy -= 1;
        self.slots.give_back(lane.company);
        let call = Call { delivery: delivery.id, first_due: delivery.first_due, probe };
        let was_open = run.pace.breaker.is_open();
        let verdict = run.pace.settle(call, outcome, lane.limits, self.now);
        delivery.calling = false;
        match verdict.fate {
            Fate::Delivered => {
                (delivery.state, delivery.attempts) = (State::Delivered, delivery.attempts + 1);
                (lane.last_success, lane.warnings, lane.probe_failed) = (Some(self.now), 0, None);
            }
            Fate::Again { due, first_due, spent } => {
                (delivery.due, delivery.first_due) = (due, first_due);
                delivery.attempts += usize::from(spent);
            }
            Fate::Failed => (delivery.state, delivery.attempts) = (State::Failed, delivery.attempts + 1),
        }
        let failed = matches!(outcome, Outcome::Retry(_) | Outcome::Exhausted) && (probe || !was_open);
        lane.probe_failed = lane.probe_failed.filter(|_| !failed).or(failed.then_some(self.now));
        assert!(delivery.attempts <= SCHEDULE.len(), "{}: over its budget", self.seed);
        let over = delivery.state != State::Waiting;
        run.ahead.settle(delivery.id, lane.ordered, over);
        if over {
            lane.waiting.retain(|waiting| *waiting != one);
        }
        if verdict.rests {
            run.ending = true;
            run.ahead.clear();
        }
        lane.pace = run.pace.clone();
        if let Some(news) = verdict.news {
            self.tell(number, news);
        }
        self.go_on(number);
    }

    fn tell(&mut self, number: usize, news: News) {
        let lane = &mut self.lanes[number];
        let silent = self.now.since(lane.last_success.unwrap_or(START));
        match news {
            News::Failing => {
                lane.warnings += 1;
                assert!(lane.warnings <= 3 && silent >= HOUR, "{}: warned too soon", self.seed);
            }
            News::Disabled(reason) => {
                assert!(reason == "gone" || silent >= GIVEN_UP, "{}: given up too soon", self.seed);
                lane.enabled = false;
                for one in lane.waiting.drain(..) {
                    self.deliveries[one].state = State::Failed;
                }
            }
        }
    }

    /// The node dies: what it knew is gone, and what was under way is not recorded.
    fn crash(&mut self) {
        self.life += 1;
        self.last_crash = self.now.plus(LEASE + TIMEOUT);
        self.slots = Slots::new(SLOTS);
        for delivery in &mut self.deliveries {
            delivery.calling = false;
        }
        let until = self.now.plus(LEASE);
        for number in 0..self.lanes.len() {
            if self.lanes[number].run.take().is_some() {
                self.lanes[number].due = Some(until);
                self.at(until, Happening::Due(number));
            }
        }
    }
}

#[test]
fn a_week_of_faults_loses_nothing_and_breaks_no_promise() {
    let read = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = read("ORQUIVA_SEED") {
        return World::new(seed).run();
    }
    for seed in 0..read("ORQUIVA_SEEDS").unwrap_or(600) {
        World::new(seed).run();
    }
}
