//! The events that this node had to do with last. The deliveries of one event go to several endpoints, so it is read once
//! and kept for a while. Those with values that a company can declare to be sensitive are not: all others never change.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use orquiva_core::event::shows_custom_values;
use orquiva_core::id::{CompanyId, EventId};
use orquiva_store::delivery::{Due, Waiting};
use orquiva_store::event::Event;
use orquiva_store::{StoreError, Tx, event};

/// Bytes of payload that are kept.
const MOST: usize = 8 << 20;

/// Those events, of all companies.
pub(crate) struct Recent {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    events: HashMap<(CompanyId, EventId), Arc<Event>>,
    /// The oldest first.
    order: VecDeque<(CompanyId, EventId)>,
    size: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { most: MOST, kept: Mutex::default() }
    }
}

impl Recent {
    /// Keeps those events of a company that never change, and forgets the oldest.
    pub(crate) fn keep(&self, company: CompanyId, events: impl IntoIterator<Item = Arc<Event>>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events.into_iter().filter(|event| !shows_custom_values(&event.payload)) {
            let key = (company, event.id);
            let size = size(&event);
            if kept.events.insert(key, event).is_none() {
                kept.order.push_back(key);
                kept.size += size;
            }
        }
        while kept.size > self.most
            && let Some(oldest) = kept.order.pop_front()
        {
            let gone = kept.events.remove(&oldest);
            kept.size -= gone.as_deref().map_or(0, size);
        }
    }

    /// These deliveries of a company with their events, in the same order; what is not known is read.
    pub(crate) async fn with_events(
        &self,
        tx: &Tx,
        company: CompanyId,
        waiting: Vec<Waiting>,
    ) -> Result<Vec<Due>, StoreError> {
        let mut events = self.known(company, &waiting);
        let mut missing: Vec<_> =
            waiting.iter().map(|one| one.event).filter(|id| !events.contains_key(id)).collect();
        if !missing.is_empty() {
            missing.sort_unstable();
            missing.dedup();
            let read: Vec<_> = event::of(tx, company, &missing).await?.into_iter().map(Arc::new).collect();
            events.extend(read.iter().map(|event| (event.id, event.clone())));
            self.keep(company, read);
        }
        let due = |one: Waiting| {
            let event = events.get(&one.event)?.clone();
            let Waiting { id, attempts, first_due_at, replay, placed, .. } = one;
            Some(Due { id, attempts, first_due_at, replay, placed, event })
        };
        Ok(waiting.into_iter().filter_map(due).collect())
    }

    fn known(&self, company: CompanyId, waiting: &[Waiting]) -> HashMap<EventId, Arc<Event>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |one: &Waiting| Some((one.event, kept.events.get(&(company, one.event))?.clone()));
        waiting.iter().filter_map(known).collect()
    }
}

/// About what an event takes.
fn size(event: &Event) -> usize {
    256 + event.payload.len() + event.sensitive.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use orquiva_core::Timestamp;
    use orquiva_core::chance::SeededChance;
    use orquiva_core::id::Mint;
    use orquiva_core::time::FrozenClock;

    #[test]
    fn the_oldest_events_are_forgotten_and_no_company_sees_those_of_another() {
        let clock = Arc::new(FrozenClock::at(Timestamp::from_millis(1_767_225_600_000)));
        let mint = Mint::new(clock, Arc::new(SeededChance::new(1)));
        let (ours, theirs): (CompanyId, CompanyId) = (mint.next(), mint.next());
        let recent = Recent { most: 3_000, kept: Mutex::default() };
        let event = |_| {
            Arc::new(Event {
                id: mint.next(),
                kind: "employee.created".to_owned(),
                created_at: Timestamp::default(),
                sequence: 1,
                payload: "x".repeat(744),
                sensitive: None,
            })
        };
        let events: Vec<_> = (0..4).map(event).collect();
        recent.keep(ours, events.clone());
        recent.keep(ours, events[3..].to_vec());
        let waiting = |event: &Arc<Event>| Waiting {
            id: mint.next(),
            attempts: 0,
            first_due_at: Timestamp::default(),
            replay: false,
            placed: false,
            event: event.id,
        };
        let waiting: Vec<_> = events.iter().map(waiting).collect();
        let known = recent.known(ours, &waiting);
        assert_eq!(
            events.iter().map(|event| known.contains_key(&event.id)).collect::<Vec<_>>(),
            [false, true, true, true]
        );
        assert!(recent.known(theirs, &waiting).is_empty());
        recent.keep(theirs, [event(4)]);
        assert_eq!(recent.known(ours, &waiting).len(), 2, "all share the room");
    }
}
