//! What a client asks for to have events sent again.

use serde_json::Value;

use crate::Timestamp;
use crate::event::{Pattern, Types};
use crate::field::{Fault, FieldError, Fields, string, whole, word};
use crate::id::EventId;
use crate::words::words;

/// Most events that can be named one by one.
const MOST_IDS: usize = 1_000;

/// Most patterns.
const MOST_TYPES: usize = 50;

words! {
    /// Which events an endpoint gets again, by what became of them there.
    Which {
        /// Those that failed for good.
        Failed "failed",
        /// Those that did not arrive, whether they failed or were never sent.
        Missed "missed",
        /// Those that arrived too.
        All "all",
    }
}

/// Events that an endpoint is to get again.
#[derive(Clone, Debug)]
pub struct NewReplay {
    /// From which part of the log, or which ones.
    pub what: What,
    /// By what became of them.
    pub which: Which,
    /// Most that are sent in a second.
    pub rate: Option<i64>,
}

/// Which part of a log.
#[derive(Clone, Debug)]
pub enum What {
    /// What happened between two moments: from the first one on, and before the second one or until now.
    Span {
        /// The first moment.
        from: Timestamp,
        /// The second one.
        to: Option<Timestamp>,
        /// Of these types, or of all.
        types: Option<Types>,
    },
    /// These events, in the order in which they happened.
    Ids(Vec<EventId>),
}

impl NewReplay {
    /// Reads what a client sent.
    pub fn parse(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let by_ids = fields.has("eventIds");
        let ids = ids(&mut fields);
        if by_ids {
            for name in ["from", "to", "types"] {
                if fields.has(name) {
                    fields.fault(name, Fault::NotWithEventIds);
                }
            }
        }
        let moment = |value| Timestamp::parse(string(value)?).ok_or(Fault::InvalidTime);
        let from = match by_ids {
            true => fields.take("from", moment),
            false => fields.need("from", moment),
        };
        let to = fields.take("to", moment);
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            fields.fault("to", Fault::EmptySpan);
        }
        let types = types(&mut fields);
        let which = fields.take("state", word(Which::parse, Which::ALL));
        let rate = fields.take("ratePerSecond", whole(1, 1_000));
        let what = match (by_ids, from) {
            (true, _) => Some(What::Ids(ids)),
            (false, from) => from.map(|from| What::Span { from, to, types }),
        };
        // Whoever names events means these, and whoever names a time what is missing of it.
        let which = which.unwrap_or(if by_ids { Which::All } else { Which::Missed });
        fields.finish(what.map(|what| Self { what, which, rate }))
    }
}

fn ids(fields: &mut Fields<'_>) -> Vec<EventId> {
    let list = fields
        .take("eventIds", |value| value.as_array().ok_or(Fault::WrongType { expected: "list of event ids" }));
    let mut ids = Vec::new();
    match list {
        Some(list) if list.is_empty() => fields.fault("eventIds", Fault::Empty),
        Some(list) if list.len() > MOST_IDS => fields.fault("eventIds", Fault::TooMany { max: MOST_IDS }),
        Some(list) => {
            for (at, value) in list.iter().enumerate() {
                match string(value)
                    .and_then(|text| EventId::parse(text).ok_or(Fault::InvalidId { kind: "evt" }))
                {
                    Ok(id) => ids.push(id),
                    Err(fault) => fields.fault(&format!("eventIds/{at}"), fault),
                }
            }
        }
        None => {}
    }
    ids
}

fn types(fields: &mut Fields<'_>) -> Option<Types> {
    let list = fields.take("types", |value| {
        value.as_array().ok_or(Fault::WrongType { expected: "list of event types" })
    })?;
    if list.is_empty() {
        fields.fault("types", Fault::Empty);
    }
    if list.len() > MOST_TYPES {
        fields.fault("types", Fault::TooMany { max: MOST_TYPES });
        return None;
    }
    let mut patterns = Vec::new();
    for (at, value) in list.iter().enumerate() {
        let read = string(value).and_then(|text| {
            Pattern::parse(text).map_err(|near| Fault::UnknownEvent { near: near.to_owned() })
        });
        match read {
            Ok(pattern) => patterns.push(pattern),
            Err(fault) => fields.fault(&format!("types/{at}"), fault),
        }
    }
    Some(Types::matching(&patterns, None))
}
