//! A proof of possession: it is read or refused. Its key comes with it, so one that holds was signed by who made it.
#![no_main]

use orquiva_core::Timestamp;
use orquiva_core::dpop::{About, LIFETIME, check};

libfuzzer_sys::fuzz_target!(|data: (&str, &str)| {
    let (text, url) = data;
    let now = Timestamp::from_millis(1_767_225_600_000);
    for token in [None, Some("eyJ.token.sig")] {
        for url in ["https://api.orquiva.test/v1/employees", url] {
            let about = About { method: "GET", url, token };
            match check(text, about, now) {
                Ok(proof) => {
                    assert!(proof.expires > now && proof.expires.since(now) <= (LIFETIME + 10) * 1000)
                }
                Err(why) => {
                    assert!(why.is_ascii() && !why.contains(['"', '\\']), "it goes into a header: {why}")
                }
            }
        }
    }
});
