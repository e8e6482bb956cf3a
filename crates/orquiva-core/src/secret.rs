//! A string that must not be seen: no `Display`, a silent `Debug`, wiped from memory when dropped.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::Chance;

/// A secret. Reading it takes [`Secret::expose`], so one search finds every place that does.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps what must not be seen.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// A new client secret: `orqs_` and 256 random bits in hexadecimal (contract: `[A-Za-z0-9_]` only).
    pub fn for_client(chance: &dyn Chance) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        chance.fill(bytes.as_mut());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::new(format!("orqs_{hex}"))
    }

    /// A new webhook secret: `whsec_` and base64 of 32 random bytes (Standard Webhooks).
    pub fn for_webhook(chance: &dyn Chance) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        chance.fill(bytes.as_mut());
        Self::new(format!("whsec_{}", STANDARD.encode(bytes.as_ref())))
    }

    /// The webhook secret of who listens as the client of `client_secret`: the same each time, and no way back.
    pub fn for_listener(client_secret: &Self) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, client_secret.expose().as_bytes());
        Self::new(format!("whsec_{}", STANDARD.encode(hmac::sign(&key, b"orquiva listen"))))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
