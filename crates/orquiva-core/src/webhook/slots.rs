//! Who sends next on a node: a bounded number of calls, shared by companies according to their plans and within each by
//! its endpoints in turn.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::Plan;
use crate::id::{CompanyId, WebhookId};

/// First attempts that go before a retry that waits beside them.
const FIRSTS: u32 = 3;

/// The calls that a node makes at once, and who waits for one.
///
/// Whoever asks is served at once while there are free slots. When there are none, companies that wait are served in
/// proportion to their weights: of any two that wait all the time and have not their share, the calls of each divided by
/// its weight never differ by more than one call of each. A company is served before all that have their share (a quarter of the slots), and a
/// quarter is kept for those that have it not; so one alone never has more than three quarters.
#[derive(Debug)]
pub struct Slots {
    most: usize,
    free: usize,
    companies: HashMap<CompanyId, Company>,
    /// The companies that wait, by how much they were served.
    waiting: BTreeMap<(u64, CompanyId), ()>,
    /// How much whoever is served now was served.
    served: u64,
}

#[derive(Debug, Default)]
struct Company {
    /// Calls under way.
    busy: usize,
    /// Served calls times [`stride`].
    served: u64,
    stride: u64,
    firsts: VecDeque<WebhookId>,
    retries: VecDeque<WebhookId>,
    /// First attempts since the last retry.
    firsts_in_a_row: u32,
}

impl Company {
    fn waits(&self) -> bool {
        !self.firsts.is_empty() || !self.retries.is_empty()
    }

    /// Whose turn it is.
    fn next(&mut self) -> Option<WebhookId> {
        let retry = self.firsts.is_empty() || (self.firsts_in_a_row >= FIRSTS && !self.retries.is_empty());
        self.firsts_in_a_row = if retry { 0 } else { self.firsts_in_a_row + 1 };
        if retry { self.retries.pop_front() } else { self.firsts.pop_front() }
    }
}

/// How a company's calls count: the heavier its plan, the less.
fn stride(plan: Plan) -> u64 {
    match plan {
        Plan::Free => 16,
        Plan::Pro => 4,
        Plan::Enterprise => 1,
    }
}

impl Slots {
    /// So many, all free.
    pub fn new(most: usize) -> Self {
        let most = most.max(4);
        Self { most, free: most, companies: HashMap::new(), waiting: BTreeMap::new(), served: 0 }
    }

    /// A lane wants to make a call, a first attempt or a retry; it asks once at a time. Then see [`Slots::serve`].
    pub fn ask(&mut self, company: CompanyId, lane: WebhookId, plan: Plan, first: bool) {
        let served = self.served;
        let known = self.companies.entry(company).or_default();
        if !known.waits() {
            // Who comes back gets nothing for the time when it wanted nothing.
            known.served = known.served.max(served);
            self.waiting.insert((known.served, company), ());
        }
        known.stride = stride(plan);
        if first { known.firsts.push_back(lane) } else { known.retries.push_back(lane) }
    }

    /// A lane waits no longer.
    pub fn withdraw(&mut self, company: CompanyId, lane: WebhookId) {
        let Some(known) = self.companies.get_mut(&company) else { return };
        known.firsts.retain(|waiting| *waiting != lane);
        known.retries.retain(|waiting| *waiting != lane);
        if !known.waits() {
            self.waiting.remove(&(known.served, company));
            self.forget(company);
        }
    }

    /// Gives a slot to whoever is next, if there is one.
    pub fn serve(&mut self) -> Option<(CompanyId, WebhookId)> {
        let share = self.most / 4;
        let busy = |company: &CompanyId| self.companies.get(company).map_or(0, |known| known.busy);
        let first = self.waiting.keys().find(|(_, company)| busy(company) < share);
        let spare = self.free > share;
        let (served, company) = *first.or_else(|| self.waiting.keys().next().filter(|_| spare))?;
        if self.free == 0 {
            return None;
        }
        let known = self.companies.get_mut(&company)?;
        let lane = known.next()?;
        self.waiting.remove(&(served, company));
        self.free -= 1;
        known.busy += 1;
        known.served += known.stride;
        if known.waits() {
            self.waiting.insert((known.served, company), ());
        }
        self.served = self.served.max(served);
        Some((company, lane))
    }

    /// A call of this company is over.
    pub fn give_back(&mut self, company: CompanyId) {
        if let Some(known) = self.companies.get_mut(&company).filter(|known| known.busy > 0) {
            known.busy -= 1;
            self.free += 1;
            self.forget(company);
        }
    }

    /// Free slots.
    pub fn free(&self) -> usize {
        self.free
    }

    /// Companies that have nothing and want nothing need not be known; unless they were served ahead of the others.
    fn forget(&mut self, company: CompanyId) {
        let served = self.served;
        let idle = |known: &Company| known.busy == 0 && !known.waits() && known.served <= served;
        if self.companies.get(&company).is_some_and(idle) {
            self.companies.remove(&company);
        }
        if self.waiting.is_empty() && self.free == self.most {
            self.companies.clear();
            self.served = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;
    use crate::id::Mint;
    use crate::time::FrozenClock;
    use crate::{Chance as _, Timestamp};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn mint() -> Mint {
        let now = Timestamp::from_millis(1_767_225_600_000);
        Mint::new(Arc::new(FrozenClock::at(now)), Arc::new(SeededChance::new(1)))
    }

    #[test]
    fn one_company_alone_leaves_a_quarter_and_the_next_one_is_served_at_once() {
        let (mut slots, mint) = (Slots::new(64), mint());
        let (greedy, late): (CompanyId, CompanyId) = (mint.next(), mint.next());
        for _ in 0..100 {
            slots.ask(greedy, mint.next(), Plan::Enterprise, true);
        }
        assert_eq!(std::iter::from_fn(|| slots.serve()).count(), 48);
        slots.ask(late, mint.next(), Plan::Free, true);
        assert_eq!(slots.serve().map(|(company, _)| company), Some(late));
        assert_eq!(slots.serve(), None);
    }

    #[test]
    fn retries_wait_for_three_first_attempts_and_no_longer() {
        let (mut slots, mint) = (Slots::new(64), mint());
        let company: CompanyId = mint.next();
        let lanes: Vec<WebhookId> = (0..12).map(|_| mint.next()).collect();
        for (at, lane) in lanes.iter().enumerate() {
            slots.ask(company, *lane, Plan::Pro, at >= 4);
        }
        let order: Vec<_> = std::iter::from_fn(|| slots.serve())
            .map(|(_, served)| lanes.iter().position(|lane| *lane == served).unwrap())
            .collect();
        assert_eq!(order, [4, 5, 6, 0, 7, 8, 9, 1, 10, 11, 2, 3]);
    }

    proptest! {
        #[test]
        fn who_waits_all_the_time_is_served_by_weight(plans in prop::collection::vec(0_usize..3, 2..12), seed in any::<u64>()) {
            let chance = SeededChance::new(seed);
            let (mut slots, mint) = (Slots::new(64), mint());
            let companies: Vec<(CompanyId, Plan)> = plans.iter().map(|at| (mint.next(), Plan::ALL[*at])).collect();
            let mut grants: BTreeMap<CompanyId, u64> = BTreeMap::new();
            let mut busy: Vec<CompanyId> = Vec::new();
            // Each has two lanes that ask again as soon as they are served; there are fewer calls than the share of one.
            for (company, plan) in &companies {
                for _ in 0..2 {
                    slots.ask(*company, mint.next(), *plan, true);
                }
            }
            for _ in 0..300 {
                if busy.len() < 15 && let Some((company, lane)) = slots.serve() {
                    busy.push(company);
                    *grants.entry(company).or_default() += 1;
                    let plan = companies.iter().find(|(other, _)| *other == company).map(|(_, plan)| *plan);
                    slots.ask(company, lane, plan.unwrap(), true);
                } else if !busy.is_empty() {
                    let at = (chance.unit() * busy.len() as f64) as usize;
                    slots.give_back(busy.swap_remove(at));
                }
                for (one, plan) in &companies {
                    for (other, others) in &companies {
                        let done = |company: &CompanyId, plan: Plan| grants.get(company).map_or(0, |count| count * stride(plan));
                        let ahead = done(one, *plan).saturating_sub(done(other, *others));
                        prop_assert!(ahead <= stride(*plan) + stride(*others), "{ahead}");
                    }
                }
            }
        }

        #[test]
        fn slots_are_neither_lost_nor_made(steps in prop::collection::vec((0_usize..6, 0_usize..5, 0_usize..3), 1..500)) {
            let (mut slots, mint) = (Slots::new(12), mint());
            let companies: Vec<CompanyId> = (0..5).map(|_| mint.next()).collect();
            let mut waiting: Vec<(CompanyId, WebhookId)> = Vec::new();
            let mut busy: Vec<CompanyId> = Vec::new();
            for (what, which, plan) in steps {
                let company = companies[which];
                match what {
                    0..=2 => {
                        let lane = mint.next();
                        slots.ask(company, lane, Plan::ALL[plan], what > 0);
                        waiting.push((company, lane));
                    }
                    3 if !waiting.is_empty() => {
                        let (company, lane) = waiting.swap_remove(which % waiting.len());
                        slots.withdraw(company, lane);
                    }
                    _ if !busy.is_empty() => slots.give_back(busy.swap_remove(which % busy.len())),
                    _ => {}
                }
                while let Some((company, lane)) = slots.serve() {
                    let at = waiting.iter().position(|asked| *asked == (company, lane));
                    waiting.swap_remove(at.expect("only who asked is served"));
                    let share = busy.iter().filter(|other| **other == company).count();
                    let others = waiting.iter().any(|(other, _)| {
                        *other != company && busy.iter().filter(|one| *one == other).count() < 3
                    });
                    prop_assert!(share < 3 || !others, "over its share while another waits that is under it");
                    busy.push(company);
                }
                prop_assert_eq!(slots.free() + busy.len(), 12);
                let under = waiting.iter().any(|(company, _)| busy.iter().filter(|other| *other == company).count() < 3);
                prop_assert!(!under || slots.free() == 0, "a company under its share waits only when all is taken");
                prop_assert!(waiting.is_empty() || slots.free() <= 3, "nobody waits beside more than what is kept");
            }
            for company in busy {
                slots.give_back(company);
            }
            for (company, lane) in waiting {
                slots.withdraw(company, lane);
            }
            prop_assert!(slots.companies.is_empty() && slots.waiting.is_empty(), "nobody is remembered for ever");
        }
    }
}
