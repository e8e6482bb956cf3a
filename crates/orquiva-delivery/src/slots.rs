//! The calls that this node makes at once: whoever wants to make one asks, and waits for its turn.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use orquiva_core::Plan;
use orquiva_core::id::{CompanyId, WebhookId};
use orquiva_core::webhook::slots;
use orquiva_store::lane::Lane;
use tokio::sync::oneshot;

/// Calls at once on a node.
const MOST: usize = 512;

/// The slots of a node.
pub(crate) struct Slots(Mutex<Table>);

struct Table {
    slots: slots::Slots,
    /// Who waits. Whoever waits no longer is not in it.
    bells: HashMap<WebhookId, oneshot::Sender<Slot>>,
}

/// A slot, which is given back when it is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    company: CompanyId,
}

/// A wish for a slot. A lane has one at a time.
pub(crate) struct Wish {
    slots: Arc<Slots>,
    lane: Lane,
    answer: oneshot::Receiver<Slot>,
    granted: Option<Slot>,
}

impl Slots {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Table { slots: slots::Slots::new(MOST), bells: HashMap::new() })))
    }

    /// Asks for a slot for a first attempt or a retry.
    pub(crate) fn ask(self: &Arc<Self>, lane: Lane, plan: Plan, first: bool) -> Wish {
        let (bell, answer) = oneshot::channel();
        self.change(|table| {
            table.slots.ask(lane.company, lane.webhook, plan, first);
            table.bells.insert(lane.webhook, bell);
        });
        Wish { slots: self.clone(), lane, answer, granted: None }
    }

    /// Changes the table and serves whoever is next by now.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut Table)) {
        let mut unwanted = Vec::new();
        {
            let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut table);
            while let Some((company, webhook)) = table.slots.serve() {
                let slot = Slot { slots: self.clone(), company };
                match table.bells.remove(&webhook) {
                    Some(bell) => unwanted.extend(bell.send(slot).err()),
                    None => unwanted.push(slot),
                }
            }
        }
        drop(unwanted); // they are given back, which needs the table
    }
}

impl Wish {
    /// The slot, if it is there.
    pub(crate) fn take(&mut self) -> Option<Slot> {
        mem::take(&mut self.granted).or_else(|| self.answer.try_recv().ok())
    }

    /// Waits until it is.
    pub(crate) async fn granted(&mut self) {
        if self.granted.is_none() {
            self.granted = (&mut self.answer).await.ok();
        }
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        self.slots.change(|table| {
            if table.bells.remove(&self.lane.webhook).is_some() {
                table.slots.withdraw(self.lane.company, self.lane.webhook);
            }
        });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.change(|table| table.slots.give_back(self.company));
    }
}
