//! The closed lists of words of an endpoint.

use crate::words::words;

words! {
    /// Whether an endpoint takes deliveries.
    Status {
        /// It does.
        Enabled "enabled",
        /// Not now: what is for it waits.
        Paused "paused",
        /// No more: it answered 410, or had no success for five days. What was for it failed and can be sent again.
        Disabled "disabled",
    }
}

words! {
    /// How much of an event is sent.
    Payload {
        /// All of it.
        Full "full",
        /// What happened to what: of `data` the `id` alone.
        Thin "thin",
    }
}

words! {
    /// In which form it is sent.
    Format {
        /// As the event log shows it.
        Json "json",
        /// As a CloudEvent, all in the body (CloudEvents 1.0, structured mode).
        CloudEvents "cloudevents",
    }
}

impl Format {
    /// The type of a body in this form.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::CloudEvents => "application/cloudevents+json",
        }
    }
}
