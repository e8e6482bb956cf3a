//! A webhook endpoint: where it is, how a delivery is signed, when it is tried again and what an answer means.

pub mod address;
pub mod outcome;
pub mod signature;

use serde::Serialize;
use serde_json::Value;

use crate::event::Pattern;
use crate::field::{Fault, FieldError, Fields, flag, line, string, whole};
use crate::id::WebhookId;
use crate::{Timestamp, field};

/// Deliveries of one endpoint that are sent at the same time, unless it says otherwise.
pub const DEFAULT_CONCURRENCY: i64 = 4;

/// An endpoint as the API shows it; its secret is shown once, at creation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where deliveries go.
    pub url: String,
    /// What it is subscribed to.
    pub events: Vec<String>,
    /// What it is for, in its owner's words.
    pub description: Option<String>,
    /// Most deliveries under way at the same time.
    pub max_concurrency: i64,
    /// Whether deliveries carry the sensitive fields of employees.
    pub sensitive: bool,
    /// `enabled`, or `disabled` after a 410 or five days without a success.
    pub status: &'static str,
    /// Why it is disabled.
    pub disabled_reason: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// What a client sends to create an endpoint.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where deliveries go.
    pub url: WebhookUrl,
    /// What it is subscribed to.
    pub events: Vec<Pattern>,
    /// What it is for.
    pub description: Option<String>,
    /// Most deliveries under way at the same time.
    pub max_concurrency: i64,
    /// Whether deliveries are to carry the sensitive fields of employees.
    pub sensitive: bool,
}

/// An address to which webhooks may go, as far as its text tells; its resolved addresses are checked
/// again when the connection is made.
#[derive(Clone, Debug)]
pub struct WebhookUrl(url::Url);

impl WebhookUrl {
    /// Reads an `https` address without user and fragment. With `allow_private` plain `http`
    /// and inner networks are accepted too.
    pub fn parse(text: &str, allow_private: bool) -> Result<Self, Fault> {
        let url = url::Url::parse(text).map_err(|_| Fault::InvalidUrl)?;
        let plain = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
        let scheme = url.scheme() == "https" || (allow_private && url.scheme() == "http");
        if plain || !scheme || text.len() > 2048 || text.chars().any(char::is_control) {
            return Err(Fault::InvalidUrl);
        }
        let public = match url.host() {
            Some(url::Host::Ipv4(ip)) => address::is_public(ip.into()),
            Some(url::Host::Ipv6(ip)) => address::is_public(ip.into()),
            Some(url::Host::Domain(name)) => address::is_public_name(name),
            None => return Err(Fault::InvalidUrl),
        };
        match public || allow_private {
            true => Ok(Self(url)),
            false => Err(Fault::PrivateAddress),
        }
    }

    /// The address in its normal form.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl NewWebhook {
    /// Reads what a client sent.
    pub fn parse(body: &Value, allow_private: bool) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        fields.read_only(&["id", "secret", "status", "disabledReason", "createdAt"]);
        let url = fields.need("url", |value| WebhookUrl::parse(string(value)?, allow_private));
        let list = fields.need("events", |value| {
            value.as_array().ok_or(Fault::WrongType { expected: "list of event types" })
        });
        let mut events = Vec::new();
        match list {
            Some(list) if list.is_empty() => fields.fault("events", Fault::Empty),
            Some(list) if list.len() > 50 => fields.fault("events", Fault::TooMany { max: 50 }),
            Some(list) => {
                for (at, value) in list.iter().enumerate() {
                    match pattern(value) {
                        Ok(pattern) => events.push(pattern),
                        Err(fault) => fields.fault(&format!("events/{at}"), fault),
                    }
                }
            }
            None => {}
        }
        let description = fields.take("description", line(500));
        let max_concurrency = fields.take("maxConcurrency", whole(1, 32)).unwrap_or(DEFAULT_CONCURRENCY);
        let sensitive = fields.take("sensitive", flag).unwrap_or(false);
        fields.finish(url.map(|url| Self { url, events, description, max_concurrency, sensitive }))
    }
}

fn pattern(value: &Value) -> Result<Pattern, Fault> {
    let text = field::string(value)?;
    Pattern::parse(text).map_err(|near| Fault::UnknownEvent { near: near.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_complete_public_addresses_pass() {
        for (url, fault) in [
            ("https://hooks.acme.com/orq", None),
            ("https://hooks.acme.com:8443/orq?x=1", None),
            ("http://hooks.acme.com/orq", Some("invalid_url")),
            ("https://user:pass@hooks.acme.com/", Some("invalid_url")),
            ("https://hooks.acme.com/#part", Some("invalid_url")),
            ("ftp://hooks.acme.com/", Some("invalid_url")),
            ("hooks.acme.com", Some("invalid_url")),
            ("https://127.0.0.1/", Some("private_address")),
            ("https://0x7f.1/", Some("private_address")),
            ("https://2130706433/", Some("private_address")),
            ("https://[::ffff:10.0.0.1]/", Some("private_address")),
            ("https://169.254.169.254/latest/meta-data", Some("private_address")),
            ("https://localhost/", Some("private_address")),
        ] {
            let read = WebhookUrl::parse(url, false);
            assert_eq!(read.as_ref().err().map(Fault::code), fault, "{url}");
        }
        assert!(WebhookUrl::parse("http://127.0.0.1:3000/hook", true).is_ok());
        assert!(WebhookUrl::parse("http://user@127.0.0.1:3000/hook", true).is_err());
    }

    #[test]
    fn a_subscription_names_events_that_exist() {
        let faults = NewWebhook::parse(&json!({"url": "https://a.acme.com", "events": ["employee.*", "employe.created", 3], "maxConcurrency": 33}), false)
            .expect_err("two of them are wrong");
        let codes: Vec<_> = faults.iter().map(|error| (error.pointer.as_str(), error.fault.code())).collect();
        assert_eq!(
            codes,
            [
                ("/events/1", "unknown_event"),
                ("/events/2", "wrong_type"),
                ("/maxConcurrency", "out_of_range")
            ]
        );
    }
}
