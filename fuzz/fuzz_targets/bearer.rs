//! An access token: bytes of a good one are changed, or it is anything at all. Only the good one opens.
#![no_main]

use axum::body::Body;
use http::{HeaderValue, Request};
use orquiva_fuzz::product;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let good = product().token();
    let mut changed = good.clone().into_bytes();
    for change in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % changed.len();
        changed[at] = change[2];
    }
    for token in [changed.as_slice(), data] {
        let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", token].concat()) else { continue };
        let request = Request::get("/v1/webhooks?limit=1").header("authorization", value);
        let answer = product().send(request.body(Body::empty()).expect("a request"));
        let is_good = token.trim_ascii() == good.as_bytes();
        assert_eq!(answer.status.is_success(), is_good, "{}", String::from_utf8_lossy(token));
    }
});
