//! The headers of a delivery that follow from what it is: written here alone, for who sends it and for the log.

use crate::Timestamp;
use crate::id::{DeliveryId, EventId};

/// One attempt, as far as its headers tell of it.
#[derive(Clone, Copy, Debug)]
pub struct Head<'h> {
    /// Which event.
    pub event: EventId,
    /// The event's type.
    pub kind: &'h str,
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Counts from 1.
    pub attempt: i64,
    /// When it was signed.
    pub at: Timestamp,
    /// Whether the endpoint gets the event again because someone asked for it.
    pub replay: bool,
}

impl Head<'_> {
    /// The names, in lower case, and the values.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let Self { event, kind, delivery, attempt, at, replay } = *self;
        [
            ("user-agent", "Orquiva-Webhooks/1".to_owned()),
            ("webhook-id", event.to_string()),
            ("webhook-timestamp", at.seconds().to_string()),
            ("x-orq-event-type", kind.to_owned()),
            ("x-orq-delivery", delivery.to_string()),
            ("x-orq-attempt", attempt.to_string()),
        ]
        .into_iter()
        .chain(replay.then(|| ("webhook-replay", "true".to_owned())))
    }
}
