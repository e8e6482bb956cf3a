//! A signed text and a set of keys, as clients send them: a line of keys, then the text. Only the owner of a key signs.
#![no_main]

use orquiva_core::jws::{Jws, KeySet, PublicKey};
use serde_json::Value;

/// A set of one key of each kind. Nobody here knows their other halves.
const KEYS: &str = r#"{"keys":[
    {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

libfuzzer_sys::fuzz_target!(|data: &str| {
    let (keys, text) = data.split_once('\n').unwrap_or(("", data));
    if let Ok(set) = KeySet::parse(keys) {
        let again = KeySet::parse(&set.to_string()).expect("what is stored is read again");
        assert_eq!(again.thumbprints(), set.thumbprints());
    }
    if let Ok(jwk) = serde_json::from_str::<Value>(keys)
        && let Some(key) = PublicKey::parse(&jwk)
    {
        assert_eq!(key.thumbprint().len(), 43);
    }
    if let Some(jws) = Jws::parse(text) {
        assert!(jws.name().is_none_or(|name| (1..=255).contains(&name.len())));
        let _ = jws.seconds("exp");
        let signed = KeySet::parse(KEYS).expect("a set").signed(&jws);
        assert!(!signed, "nobody guesses a signature");
    }
});
