//! The check of `X-Orq-Signature`: only what was signed passes, whatever stands beside it.
#![no_main]

use orquiva_core::webhook::signature::Signer;
use orquiva_core::{Secret, Timestamp};

libfuzzer_sys::fuzz_target!(|data: (&str, &[u8])| {
    let (header, body) = data;
    let signer = Signer::new(&Secret::new("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
    let now = Timestamp::from_millis(1_767_225_600_000);
    assert!(!signer.verifies(header, body, now, 300_000), "nobody guesses 256 bits");
    let signed = signer.sign("evt_1", now, body).orq;
    assert!(signer.verifies(&signed, body, now, 300_000));
    let other = Signer::new(&Secret::new(header));
    let _ = other.verifies(header, body, now, i64::MAX);
    let _ = other.verifies(&format!("t={header}"), body, now, 300_000);
});
