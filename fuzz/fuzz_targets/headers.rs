//! What headers say: conditions, keys, languages, content types, cursors. One header a line.
#![no_main]

use axum::body::Body;
use http::{HeaderValue, Method};
use orquiva_fuzz::product;

const NAMES: [&str; 10] = [
    "if-match",
    "if-none-match",
    "idempotency-key",
    "accept-language",
    "content-type",
    "x-request-id",
    "last-event-id",
    "traceparent",
    "dpop",
    "x-forwarded-for",
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let product = product();
    let headers = || {
        let lines = data.split(|byte| *byte == b'\n').filter_map(|line| line.split_first());
        lines.filter_map(|(name, value)| {
            Some((NAMES[usize::from(*name) % NAMES.len()], HeaderValue::from_bytes(value).ok()?))
        })
    };
    let employee = product.employee();
    let write = format!("{employee}?dryRun=true");
    for (method, path, body) in [
        (Method::GET, employee.as_str(), ""),
        (Method::GET, "/v1/events", ""),
        (Method::PATCH, write.as_str(), r#"{"jobTitle":"Cook"}"#),
    ] {
        let mut request = product.request(method, path);
        for (name, value) in headers() {
            request = request.header(name, value);
        }
        product.send(request.body(Body::from(body)).expect("a request"));
    }
});
