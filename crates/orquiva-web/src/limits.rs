//! The rate limit: no 60-second span ever sees more than the plan's number admitted, and who stays under it is
//! never refused. A window keeps the moment of each admission, so it is exact and not an estimate.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use orquiva_core::id::CompanyId;

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

/// The admissions of one company in the last 60 seconds.
#[derive(Debug, Default)]
pub(crate) struct Window(Mutex<VecDeque<i64>>);

impl Window {
    /// Admits a request at `now` (milliseconds that only go forward) if fewer than `quota` were in the window.
    pub(crate) fn admit(&self, quota: u32, now: i64) -> Decision {
        let mut admitted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while admitted.front().is_some_and(|first| now - first >= SPAN) {
            admitted.pop_front();
        }
        let free = (quota as usize).saturating_sub(admitted.len());
        if free > 0 {
            admitted.push_back(now);
        } else if admitted.len() * 4 < admitted.capacity() {
            admitted.shrink_to_fit();
        }
        // After a change to a smaller plan several have to leave before one more fits.
        let leaves =
            admitted.get(admitted.len().saturating_sub(quota as usize)).map_or(0, |first| first + SPAN - now);
        Decision {
            admitted: free > 0,
            remaining: u32::try_from(free.saturating_sub(1)).unwrap_or(u32::MAX),
            reset: (leaves + 999) / 1000,
        }
    }

    /// Takes back one admission: the request turned out to be free.
    pub(crate) fn give_back(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_back();
    }

    fn is_idle(&self, now: i64) -> bool {
        let admitted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        admitted.back().is_none_or(|last| now - last >= SPAN)
    }
}

/// The window of each company.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<HashMap<CompanyId, Arc<Window>>>);

impl Limits {
    /// The window of a company. Windows of companies that are away are forgotten on the way.
    pub(crate) fn window(&self, company: CompanyId, now: i64) -> Arc<Window> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() == windows.capacity() {
            windows.retain(|_, window| Arc::strong_count(window) > 1 || !window.is_idle(now));
        }
        windows.entry(company).or_default().clone()
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
        window.give_back();
        assert!(window.admit(1, 1).admitted);
        assert!(!window.admit(1, 2).admitted);
    }
}
