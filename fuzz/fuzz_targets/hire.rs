//! The body of a hire: any bytes at all. Nothing is stored, so the same person can be hired again and again.
#![no_main]

use http::Method;
use orquiva_fuzz::product;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let answer = product().write(Method::POST, "/v1/employees?dryRun=true", body.to_vec());
    if answer.status.as_u16() == 422 {
        let refusal = answer.json.expect("a refusal is JSON");
        let errors = refusal["errors"].as_array().expect("bad fields are named");
        assert!(errors.iter().all(|error| error["pointer"].is_string() && error["detail"].is_string()));
    }
});
