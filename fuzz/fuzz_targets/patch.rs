//! A merge patch (RFC 7396) of an employee, and patches in general: one that was applied changes nothing more.
#![no_main]

use http::Method;
use orquiva_core::merge::merge;
use orquiva_fuzz::product;
use serde_json::{Value, json};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Ok(patch) = serde_json::from_slice::<Value>(body) {
        let mut once = json!({ "a": { "b": 1, "c": [2] }, "external_refs": { "stripe_id": "cus_1" } });
        merge(&mut once, &patch);
        let mut twice = once.clone();
        merge(&mut twice, &patch);
        assert_eq!(once, twice);
    }
    let product = product();
    product.write(Method::PATCH, &format!("{}?dryRun=true", product.employee()), body.to_vec());
});
