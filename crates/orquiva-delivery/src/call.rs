//! One call of an endpoint, and what the log keeps of it.

use std::sync::Arc;

use orquiva_core::webhook::outcome::Answer;
use orquiva_store::delivery::{Attempt, Due};

use crate::client::Reply;
use crate::endpoint::Endpoint;
use crate::message::{kept, request};
use crate::parts::Parts;
use crate::slots::Slot;

/// A call that is over: what was sent, as far as the log keeps it, and what came of it.
pub(crate) struct Sent {
    pub(crate) due: Due,
    pub(crate) probe: bool,
    pub(crate) reply: Reply,
    kept: Option<String>,
    url: String,
    shape: Option<&'static str>,
}

/// Sends a delivery, under a slot.
pub(crate) async fn call(
    parts: Arc<Parts>,
    endpoint: Arc<Endpoint>,
    due: Due,
    probe: bool,
    slot: Slot,
) -> Sent {
    let now = parts.clock.now();
    let (reply, kept) = match request(&endpoint, &due, now) {
        Ok(request) => {
            let kept = kept(&endpoint, &request);
            (parts.client.send(request, parts.clock.as_ref()).await, Some(kept))
        }
        Err(_) => (Reply::unsent(now), None),
    };
    drop(slot);
    Sent { due, probe, reply, kept, url: endpoint.url.to_string(), shape: endpoint.shape() }
}

/// An attempt for the log.
pub(crate) fn attempted(number: i64, sent: Sent) -> Attempt {
    let Sent { reply, kept, url, shape, .. } = sent;
    let (status, error) = match reply.answer {
        Answer::Status { code, .. } => (Some(i64::from(code)), None),
        Answer::Failed(failure) => (None, Some(failure.as_str())),
    };
    let Reply { started_at, duration, body: response, headers, address, detail, .. } = reply;
    Attempt {
        number,
        started_at,
        duration,
        status,
        error,
        detail,
        url,
        sent: kept,
        shape,
        address: address.map(|address| address.to_string()),
        // Of a success nobody asks for them, and most attempts are one.
        headers: headers.filter(|_| !matches!(status, Some(200..=299))),
        response,
    }
}
