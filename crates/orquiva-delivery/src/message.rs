//! What is sent: the body and the headers of one attempt.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use orquiva_core::Timestamp;
use orquiva_store::delivery::Due;

use crate::endpoint::Endpoint;

/// The request that takes `due` to `endpoint`, signed at `now`.
pub(crate) fn request(
    endpoint: &Endpoint,
    due: &Due,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let event = &due.event;
    let id = event.id.to_string();
    let body = event.body(endpoint.sensitive, endpoint.payload, endpoint.format);
    let signatures = endpoint.signer.sign(&id, now, body.as_bytes());
    let mut request = Request::post(&endpoint.url)
        .header(header::CONTENT_TYPE, endpoint.format.content_type())
        .header(header::USER_AGENT, "Orquiva-Webhooks/1")
        .header("x-orq-signature", signatures.orq)
        .header("webhook-id", id)
        .header("webhook-timestamp", now.seconds())
        .header("webhook-signature", signatures.standard)
        .header("x-orq-event-type", &event.kind)
        .header("x-orq-delivery", due.id.to_string())
        .header("x-orq-attempt", due.attempts + 1)
        .body(Full::new(Bytes::from(body)))?;
    request.headers_mut().extend(endpoint.headers.clone()); // none of them is one of ours
    Ok(request)
}
