//! A request for a token. Lines: `Authorization`, `DPoP`, then the form. Only the client's own secret gets one.
#![no_main]

use axum::body::Body;
use http::{HeaderValue, Request};
use orquiva_fuzz::product;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut request =
        Request::post("/oauth/token").header("content-type", "application/x-www-form-urlencoded");
    for name in ["authorization", "dpop"] {
        let value = lines.next().unwrap_or_default();
        if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_bytes(value)) {
            request = request.header(name, value);
        }
    }
    let form = lines.next().unwrap_or_default();
    let answer = product().send(request.body(Body::from(form.to_vec())).expect("a request"));
    assert!(!answer.status.is_success(), "nobody guesses 256 bits");

    // What is added to a good form may spoil it, and does no more.
    let form = [product().form().as_bytes(), b"&", form].concat();
    let request = Request::post("/oauth/token").header("content-type", "application/x-www-form-urlencoded");
    product().send(request.body(Body::from(form)).expect("a request"));
});
