//! What a browser keeps for us between two steps: sealed, for one purpose, and for a short while.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::console::Console;

/// How long a ticket counts, in milliseconds.
const LIFE: i64 = 5 * 60_000;

/// Seals `said` for `purpose`.
pub(crate) fn issue(console: &Console, purpose: &str, said: &Value) -> String {
    let text = json!({ "until": console.clock.now().plus(LIFE).millis(), "said": said }).to_string();
    URL_SAFE_NO_PAD.encode(console.key.seal(text.as_bytes(), &place(purpose), console.chance.as_ref()))
}

/// What was sealed for `purpose`, if it still counts.
pub(crate) fn read(console: &Console, purpose: &str, ticket: &str) -> Option<Value> {
    let sealed = URL_SAFE_NO_PAD.decode(ticket).ok()?;
    let text = console.key.open(&sealed, &place(purpose)).ok()?;
    let mut ticket: Value = serde_json::from_slice(&text).ok()?;
    (ticket["until"].as_i64()? > console.clock.now().millis()).then(|| ticket["said"].take())
}

fn place(purpose: &str) -> String {
    format!("ticket/{purpose}")
}
