//! A client's assertion (`private_key_jwt`), changed or anything at all: it is read or refused, and holds only if its
//! key signed it.
#![no_main]

use orquiva_core::Timestamp;
use orquiva_core::assertion::{check, subject};
use orquiva_core::jws::KeySet;

const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let now = Timestamp::from_millis(1_767_225_600_000);
    let keys = KeySet::parse(KEYS).expect("a set");
    let client = subject(text).unwrap_or_default();
    let checked = check(text, &client, &keys, &["https://api.orquiva.test"], now);
    assert!(checked.is_none(), "nobody guesses a signature");
});
