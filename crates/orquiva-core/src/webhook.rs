//! A webhook endpoint: where it is, what it wants, how a delivery is signed, when it is tried again and what an answer
//! means.

pub mod address;
pub mod ahead;
pub mod body;
pub mod breaker;
pub mod bucket;
pub mod check;
mod filter;
pub mod head;
mod headers;
pub mod key;
mod new;
pub mod outcome;
pub mod pace;
pub mod replay;
pub mod signature;
pub mod slots;
mod url;
mod words;

use serde::Serialize;

use crate::Timestamp;
use crate::id::WebhookId;

pub use filter::Filter;
pub use headers::Headers;
pub use new::{NewWebhook, Overlap};
pub use url::WebhookUrl;
pub use words::{Format, Payload, Status};

/// Fields that a client may write.
const WRITABLE: &[&str] = &[
    "url",
    "events",
    "description",
    "filter",
    "payload",
    "format",
    "headers",
    "ordered",
    "maxConcurrency",
    "ratePerSecond",
    "retrySchedule",
    "sensitive",
    "ed25519",
    "status",
];

/// Fields that the server alone writes.
const READ_ONLY: &[&str] = &[
    "id",
    "secret",
    "disabledReason",
    "disabledAt",
    "previousSecretUntil",
    "publicKey",
    "version",
    "createdAt",
    "updatedAt",
];

/// An endpoint as the API shows it; its secret is shown once, at creation and when it is rotated.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// What the client writes.
    #[serde(flatten)]
    pub shape: NewWebhook,
    /// Why it is disabled.
    pub disabled_reason: Option<String>,
    /// Since when.
    pub disabled_at: Option<Timestamp>,
    /// Until when the secret before the last rotation signs too.
    pub previous_secret_until: Option<Timestamp>,
    /// The public half of its Ed25519 key.
    pub public_key: Option<String>,
    /// Counts the changes, from 1; the `ETag` shows it.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Webhook {
    /// The strong `ETag` of this version (RFC 9110 §8.8.3).
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    /// Most deliveries under way at the same time: in order is one after the other.
    pub fn concurrency(&self) -> usize {
        if self.shape.ordered { 1 } else { usize::try_from(self.shape.max_concurrency).unwrap_or(1) }
    }
}
