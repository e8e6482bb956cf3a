//! The rate limit: no 60-second span ever sees more than the plan's number admitted, and who stays under it is
//! never refused. A window keeps the moment of each admission, so it is exact and not an estimate.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// The span, in milliseconds. Moments are rounded down to whole ones, so an admission leaves the window only when
/// more than 60,000 have passed by that count: then at least 60 seconds have really passed.
const SPAN: i64 = 60_001;

/// What the limit says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) admitted: bool,
    /// Requests that would still be admitted at this moment.
    pub(crate) remaining: u32,
    /// Seconds, rounded up, until one more will be.
    pub(crate) reset: i64,
}

/// The admissions of one company, client or address in the last 60 seconds.
#[derive(Debug, Default)]
pub(crate) struct Window(Mutex<VecDeque<i64>>);

impl Window {
    /// Admits a request at `now` (milliseconds that only go forward) if fewer than `quota` were in the window.
    pub(crate) fn admit(&self, quota: u32, now: i64) -> Decision {
        self.decide(quota, now, true)
    }

    /// What [`Window::admit`] would say, without admitting anything.
    fn look(&self, quota: u32, now: i64) -> Decision {
        self.decide(quota, now, false)
    }

    fn decide(&self, quota: u32, now: i64, admit: bool) -> Decision {
        let mut admitted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while admitted.front().is_some_and(|first| now - first >= SPAN) {
            admitted.pop_front();
        }
        let free = (quota as usize).saturating_sub(admitted.len());
        let spent = free > 0 && admit;
        if spent {
            admitted.push_back(now);
        } else if admitted.len() * 4 < admitted.capacity() {
            admitted.shrink_to_fit();
        }
        // After a change to a smaller plan several have to leave before one more fits.
        let leaves =
            admitted.get(admitted.len().saturating_sub(quota as usize)).map_or(0, |first| first + SPAN - now);
        Decision {
            admitted: free > 0,
            remaining: u32::try_from(free - usize::from(spent)).unwrap_or(u32::MAX),
            reset: (leaves + 999) / 1000,
        }
    }

    /// Takes back the admission of `at`: the request turned out to be free.
    pub(crate) fn give_back(&self, at: i64) {
        let mut admitted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = admitted.iter().rposition(|one| *one == at) {
            admitted.remove(place);
        }
    }

    fn is_idle(&self, now: i64) -> bool {
        let admitted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        admitted.back().is_none_or(|last| now - last >= SPAN)
    }
}

/// What a client may spend: the company's pool, and of it no more than its own share, if it has one.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// The plan's number.
    pub(crate) quota: u32,
    pub(crate) pool: Arc<Window>,
    /// The client's number.
    pub(crate) share: Option<(u32, Arc<Window>)>,
}

/// What a budget says of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) pool: Decision,
    /// The client's number, and what its window says.
    pub(crate) share: Option<(u32, Decision)>,
}

impl Verdict {
    /// Whether the request is let in.
    pub(crate) fn admitted(&self) -> bool {
        self.pool.admitted && self.share.is_none_or(|(_, share)| share.admitted)
    }

    /// Seconds until one more is let in, if nobody else spends it: whichever window refuses for longer.
    pub(crate) fn retry_after(&self) -> i64 {
        let refusing = [Some(self.pool), self.share.map(|(_, share)| share)].into_iter().flatten();
        refusing.filter(|one| !one.admitted).map(|one| one.reset).max().unwrap_or(0)
    }
}

impl Budget {
    /// Admits a request in both windows, or in none.
    pub(crate) fn admit(&self, now: i64) -> Verdict {
        let Some((quota, window)) = &self.share else {
            return Verdict { pool: self.pool.admit(self.quota, now), share: None };
        };
        let share = window.admit(*quota, now);
        let pool = match share.admitted {
            true => self.pool.admit(self.quota, now),
            false => self.pool.look(self.quota, now),
        };
        if share.admitted && !pool.admitted {
            window.give_back(now);
        }
        Verdict { pool, share: Some((*quota, share)) }
    }

    /// What [`Budget::admit`] would say, without admitting anything.
    pub(crate) fn look(&self, now: i64) -> Verdict {
        let share = self.share.as_ref().map(|(quota, window)| (*quota, window.look(*quota, now)));
        Verdict { pool: self.pool.look(self.quota, now), share }
    }

    /// Takes back the admission of `at`: the request turned out to be free.
    pub(crate) fn give_back(&self, at: i64) {
        self.pool.give_back(at);
        if let Some((_, window)) = &self.share {
            window.give_back(at);
        }
    }
}

/// The window of each company, client or address.
#[derive(Debug)]
pub(crate) struct Limits<N>(Mutex<HashMap<N, Arc<Window>>>);

impl<N> Default for Limits<N> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<N: Eq + Hash> Limits<N> {
    /// The window of `name`. Windows of those that are away are forgotten on the way.
    pub(crate) fn window(&self, name: N, now: i64) -> Arc<Window> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() == windows.capacity() {
            windows.retain(|_, window| Arc::strong_count(window) > 1 || !window.is_idle(now));
        }
        windows.entry(name).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_span_sees_more_than_the_quota_and_nobody_under_it_is_refused(
            quota in 1_u32..40,
            steps in prop::collection::vec(0_i64..9_000, 1..300),
        ) {
            let window = Window::default();
            let mut now = 1_000;
            let mut admitted: Vec<i64> = Vec::new();
            for step in steps {
                now += step / 3;
                let in_span = admitted.iter().filter(|at| now - **at <= 60_000).count();
                let decision = window.admit(quota, now);
                prop_assert_eq!(decision.admitted, in_span < quota as usize);
                if decision.admitted {
                    admitted.push(now);
                    prop_assert_eq!(decision.remaining as usize, quota as usize - in_span - 1);
                } else {
                    prop_assert!(decision.reset >= 1 && decision.reset <= 61);
                }
            }
        }

        #[test]
        fn a_share_is_kept_within_the_pool_and_a_retry_as_told_succeeds(
            quota in 1_u32..20,
            share in 1_u32..20,
            steps in prop::collection::vec((0_i64..4_000, any::<bool>()), 1..200),
        ) {
            let pool = Arc::new(Window::default());
            let client = Budget { quota, pool: pool.clone(), share: Some((share, Arc::default())) };
            let other = Budget { quota, pool, share: None };
            let (mut now, mut all, mut own) = (0, Vec::new(), Vec::new());
            for (step, others) in steps {
                now += step;
                let within = |admitted: &[i64]| admitted.iter().filter(|at| now - **at <= 60_000).count();
                let free = within(&all) < quota as usize;
                let verdict = if others { other.admit(now) } else { client.admit(now) };
                prop_assert_eq!(verdict.admitted(), free && (others || within(&own) < share as usize));
                if !verdict.admitted() {
                    let retry = now + verdict.retry_after() * 1000;
                    prop_assert!(!free || within(&own) == share as usize);
                    let (pool, window) = (Window::default(), Window::default());
                    for at in &all { pool.admit(u32::MAX, *at); }
                    for at in &own { window.admit(u32::MAX, *at); }
                    let fits = pool.admit(quota, retry).admitted && (others || window.admit(share, retry).admitted);
                    prop_assert!(fits, "a retry after {} s succeeds", verdict.retry_after());
                    continue;
                }
                all.push(now);
                if !others { own.push(now); }
            }
        }

        #[test]
        fn who_waits_as_told_is_admitted(quota in 1_u32..20, steps in prop::collection::vec(0_i64..3_000, 1..100)) {
            let window = Window::default();
            let mut now = 0;
            for step in steps {
                now += step;
                let decision = window.admit(quota, now);
                if !decision.admitted {
                    now += decision.reset * 1000;
                    prop_assert!(window.admit(quota, now).admitted, "a retry after {} s succeeds", decision.reset);
                }
            }
        }
    }

    #[test]
    fn a_smaller_plan_counts_from_the_next_request() {
        let window = Window::default();
        for now in 0..10 {
            assert!(window.admit(10, now * 1000).admitted);
        }
        let refused = window.admit(4, 10_000);
        assert!(!refused.admitted);
        assert!(window.admit(4, 10_000 + refused.reset * 1000).admitted, "{refused:?}");
    }

    #[test]
    fn what_was_free_is_given_back() {
        let window = Window::default();
        assert!(window.admit(1, 0).admitted);
        window.give_back(0);
        assert!(window.admit(1, 1).admitted);
        assert!(!window.admit(1, 2).admitted);
    }
}
