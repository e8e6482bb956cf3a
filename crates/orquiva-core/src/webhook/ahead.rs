//! What a lane has read ahead, and what of it may be sent next.

use std::collections::{HashSet, VecDeque};

use crate::id::DeliveryId;

/// Deliveries that were read and are not over. Those that have a place in an order go one at a time: the next one when
/// the one before it has arrived or failed for good, and is recorded.
#[derive(Debug)]
pub struct Ahead<T> {
    waiting: VecDeque<Item<T>>,
    /// All that was read and is not recorded yet.
    known: HashSet<DeliveryId>,
    /// Whether one that has a place is under way.
    head: bool,
}

#[derive(Debug)]
struct Item<T> {
    id: DeliveryId,
    placed: bool,
    what: T,
}

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), known: HashSet::new(), head: false }
    }
}

impl<T> Ahead<T> {
    /// Adds what was read, in the order in which it is to be sent; what is known stays where it is.
    pub fn add(&mut self, id: DeliveryId, placed: bool, what: T) {
        if self.known.insert(id) {
            self.waiting.push_back(Item { id, placed, what });
        }
    }

    /// What may be sent next.
    pub fn next(&self) -> Option<&T> {
        self.waiting.iter().find(|item| !(item.placed && self.head)).map(|item| &item.what)
    }

    /// Takes what may be sent next.
    pub fn take(&mut self) -> Option<T> {
        let at = self.waiting.iter().position(|item| !(item.placed && self.head))?;
        let item = self.waiting.remove(at)?;
        self.head |= item.placed;
        Some(item.what)
    }

    /// What came of a delivery is recorded: it is `over`, or it is sent again later. In an order nothing passes it.
    pub fn settle(&mut self, id: DeliveryId, placed: bool, over: bool) {
        self.known.remove(&id);
        if placed {
            self.head = false;
            if !over {
                self.forget(|item| item.placed);
            }
        }
    }

    /// Forgets what was not begun; it is read again.
    pub fn clear(&mut self) {
        self.forget(|_| true);
    }

    /// How many wait to be sent.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many are not recorded yet.
    pub fn known(&self) -> usize {
        self.known.len()
    }

    fn forget(&mut self, which: impl Fn(&Item<T>) -> bool) {
        let known = &mut self.known;
        self.waiting.retain(|item| {
            let goes = which(item);
            if goes {
                known.remove(&item.id);
            }
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::chance::SeededChance;
    use crate::id::Mint;
    use crate::time::FrozenClock;
    use std::sync::Arc;

    #[test]
    fn what_has_a_place_goes_one_at_a_time_and_nothing_passes_it() {
        let clock = Arc::new(FrozenClock::at(Timestamp::from_millis(1_767_225_600_000)));
        let mint = Mint::new(clock, Arc::new(SeededChance::new(1)));
        let ids: Vec<DeliveryId> = (0..5).map(|_| mint.next()).collect();
        let mut ahead = Ahead::default();
        let fill = |ahead: &mut Ahead<usize>, from: usize| {
            for (at, id) in ids.iter().enumerate().skip(from) {
                ahead.add(*id, at != 2, at);
            }
        };
        fill(&mut ahead, 0);
        fill(&mut ahead, 0);
        assert_eq!((ahead.take(), ahead.take(), ahead.take()), (Some(0), Some(2), None));
        ahead.settle(ids[0], true, true);
        assert_eq!((ahead.take(), ahead.next()), (Some(1), None));
        ahead.settle(ids[1], true, false);
        assert_eq!((ahead.take(), ahead.waiting(), ahead.known()), (None, 0, 1));
        fill(&mut ahead, 1);
        assert_eq!((ahead.take(), ahead.take()), (Some(1), None));
        ahead.clear();
        assert_eq!(ahead.known(), 2, "what is under way is known still");
    }
}
