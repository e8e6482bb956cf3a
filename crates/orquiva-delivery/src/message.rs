//! What is sent: the body and the headers of one attempt.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Full;
use orquiva_core::Timestamp;
use orquiva_core::webhook::head::Head;
use orquiva_store::delivery::Due;

use crate::endpoint::Endpoint;

/// Those of our headers that only we can tell: the log keeps what they said.
const SIGNATURES: [&str; 2] = ["x-orq-signature", "webhook-signature"];

/// The request that takes `due` to `endpoint`, signed at `now`.
pub(crate) fn request(
    endpoint: &Endpoint,
    due: &Due,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let event = &due.event;
    let body = event.body(endpoint.sensitive, endpoint.payload, endpoint.format);
    let signatures = endpoint.signer.sign(&event.id.to_string(), now, body.as_bytes());
    let mut request = Request::post(&endpoint.url)
        .header(header::CONTENT_TYPE, endpoint.format.content_type())
        .header(SIGNATURES[0], signatures.orq)
        .header(SIGNATURES[1], signatures.standard)
        .body(Full::new(Bytes::from(body)))?;
    let head = Head {
        event: event.id,
        kind: &event.kind,
        delivery: due.id,
        attempt: due.attempts + 1,
        at: now,
        replay: due.replay,
    };
    for (name, value) in head.headers() {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::try_from(value)?);
    }
    request.headers_mut().extend(endpoint.headers.clone()); // none of them is one of ours
    Ok(request)
}

/// What the log keeps of a request's headers, one `name: value` a line: all that does not follow from the delivery. Values
/// of the endpoint's own headers are its secrets.
pub(crate) fn kept(endpoint: &Endpoint, request: &Request<Full<Bytes>>) -> String {
    let mut kept = String::with_capacity(192);
    for name in SIGNATURES {
        if let Some(value) = request.headers().get(name).and_then(|value| value.to_str().ok()) {
            for part in [name, ": ", value, "\n"] {
                kept.push_str(part);
            }
        }
    }
    for name in endpoint.headers.keys() {
        for part in [name.as_str(), ": ***\n"] {
            kept.push_str(part);
        }
    }
    kept
}
