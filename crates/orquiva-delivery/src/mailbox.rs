//! How a lane that this node works hears of what was put into it. What the router has just written down is handed over in
//! memory, so that it need not be read again. That is a short cut only: the rows stay the truth, and whatever is in doubt
//! is read.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orquiva_store::delivery::Due;
use tokio::sync::Notify;

/// The order in which this node begins and ends what it does.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<AtomicU64>);

impl Turns {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// What was put into a lane.
#[derive(Default)]
pub(crate) struct Handed {
    /// The version of the endpoint that it was made for.
    pub(crate) version: i64,
    /// What may be sent at once.
    pub(crate) due: Vec<Due>,
    /// Whether something else was put into it too, which has to be read in its turn.
    pub(crate) has_more: bool,
}

/// Where a lane hears of it.
pub(crate) struct Mailbox {
    bell: Notify,
    /// How much it holds.
    most: usize,
    letters: Mutex<Letters>,
}

#[derive(Default)]
struct Letters {
    /// When the lane's rows were last read; nothing before the first time.
    read: Option<u64>,
    fresh: Vec<(i64, Due)>,
    has_more: bool,
}

impl Mailbox {
    /// One that holds up to `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { bell: Notify::new(), most, letters: Mutex::default() }
    }

    /// Hands over what was written down by someone who began at `began`. If the lane was read since then it may have
    /// found that by itself, and may be done with it.
    pub(crate) fn hand_over(&self, began: u64, handed: Handed) {
        let mut letters = self.letters();
        let fits = letters.fresh.len() + handed.due.len() <= self.most;
        let is_new = letters.read.is_some_and(|read| read < began);
        if fits && is_new && !handed.has_more && !letters.has_more {
            letters.fresh.extend(handed.due.into_iter().map(|due| (handed.version, due)));
        } else {
            letters.has_more = true;
        }
        drop(letters);
        self.bell.notify_one();
    }

    /// Says that there is something to read.
    pub(crate) fn ring(&self) {
        self.letters().has_more = true;
        self.bell.notify_one();
    }

    /// Waits until there is something.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes what was handed over, made for this version of the endpoint; nothing if the lane has to be read.
    pub(crate) fn take(&self, version: Option<i64>) -> Option<Vec<Due>> {
        let mut letters = self.letters();
        let current = letters.fresh.iter().all(|(made_for, _)| Some(*made_for) == version);
        let fresh = mem::take(&mut letters.fresh);
        let has_more = mem::take(&mut letters.has_more);
        (current && !has_more).then(|| fresh.into_iter().map(|(_, due)| due).collect())
    }

    /// The rows are about to be read, and whatever is here is among them.
    pub(crate) fn begin_reading(&self) {
        let mut letters = self.letters();
        letters.fresh.clear();
        letters.has_more = false;
    }

    /// They were read.
    pub(crate) fn end_reading(&self, turn: u64) {
        self.letters().read = Some(turn);
    }

    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orquiva_core::Timestamp;
    use orquiva_core::chance::SeededChance;
    use orquiva_core::id::{DeliveryId, Mint};
    use orquiva_core::time::FrozenClock;
    use orquiva_store::event::Event;

    struct Post {
        mint: Mint,
        turns: Turns,
        mailbox: Mailbox,
    }

    impl Post {
        /// A mailbox for three, whose lane was not read yet.
        fn new() -> Self {
            let clock = Arc::new(FrozenClock::at(Timestamp::from_millis(1_767_225_600_000)));
            let mint = Mint::new(clock, Arc::new(SeededChance::new(1)));
            Self { mint, turns: Turns::default(), mailbox: Mailbox::new(3) }
        }

        fn read(&self) {
            self.mailbox.begin_reading();
            self.mailbox.end_reading(self.turns.next());
        }

        /// Hands over so many, made for version 7 by someone who began at `began`; their ids.
        fn hand_over(&self, began: u64, count: usize) -> Vec<DeliveryId> {
            let due = |_| Due {
                id: self.mint.next(),
                attempts: 0,
                first_due_at: Timestamp::default(),
                replay: false,
                placed: false,
                event: Arc::new(Event {
                    id: self.mint.next(),
                    kind: "employee.created".to_owned(),
                    created_at: Timestamp::default(),
                    sequence: 1,
                    payload: "{}".to_owned(),
                    sensitive: None,
                }),
            };
            let due: Vec<Due> = (0..count).map(due).collect();
            let ids = due.iter().map(|due| due.id).collect();
            self.mailbox.hand_over(began, Handed { version: 7, due, has_more: false });
            ids
        }

        fn taken(&self) -> Option<Vec<DeliveryId>> {
            self.mailbox.take(Some(7)).map(|all| all.iter().map(|due| due.id).collect())
        }
    }

    #[test]
    fn what_is_handed_over_after_the_rows_were_read_need_not_be_read() {
        let post = Post::new();
        post.read();
        let mut ids = post.hand_over(post.turns.next(), 2);
        ids.extend(post.hand_over(post.turns.next(), 1));
        assert_eq!(post.taken(), Some(ids));
        assert_eq!(post.taken(), Some(Vec::new()), "a bell that rang twice");
    }

    #[test]
    fn whatever_is_in_doubt_is_read() {
        let post = Post::new();
        post.hand_over(post.turns.next(), 1);
        assert_eq!(post.taken(), None, "the lane was never read");
        let began = post.turns.next();
        post.read();
        post.hand_over(began, 1);
        assert_eq!(post.taken(), None, "it was read since then: that may be sent already");
        post.hand_over(post.turns.next(), 4);
        assert_eq!(post.taken(), None, "too much");
        post.hand_over(post.turns.next(), 1);
        assert_eq!(post.mailbox.take(Some(8)).map(|all| all.len()), None, "the endpoint has changed");
        post.mailbox.ring();
        post.hand_over(post.turns.next(), 1);
        assert_eq!(post.taken(), None, "there is something else");
        post.hand_over(post.turns.next(), 1);
        post.read();
        assert_eq!(post.taken(), Some(Vec::new()), "the rows were read, and that was among them");
    }
}
