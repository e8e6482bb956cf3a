//! Where webhooks may go, as far as the text of an address tells.

use serde::{Serialize, Serializer};

use super::address::Reach;
use crate::field::Fault;

/// An address to which webhooks may go, as far as its text tells; its resolved addresses are checked
/// again when the connection is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// Reads an `https` address without user and fragment that leads to where webhooks may go; plain `http` too, where
    /// the operator opened the way.
    pub fn parse(text: &str, reach: &Reach) -> Result<Self, Fault> {
        let url = url::Url::parse(text).map_err(|_| Fault::InvalidUrl)?;
        let plain = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
        let (admitted, opened) = match url.host() {
            Some(url::Host::Ipv4(ip)) => (reach.admits(ip.into()), reach.opens(ip.into())),
            Some(url::Host::Ipv6(ip)) => (reach.admits(ip.into()), reach.opens(ip.into())),
            Some(url::Host::Domain(name)) => (reach.admits_name(name), reach.opens_name(name)),
            None => return Err(Fault::InvalidUrl),
        };
        let scheme = url.scheme() == "https" || (opened && url.scheme() == "http");
        if plain || !scheme || text.len() > 2048 || text.chars().any(char::is_control) {
            return Err(Fault::InvalidUrl);
        }
        match admitted {
            true => Ok(Self(url.into())),
            false => Err(Fault::PrivateAddress),
        }
    }

    /// An address that was read before, in its normal form.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The address in its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Networks;

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
            let read = WebhookUrl::parse(url, &Reach::default());
            assert_eq!(read.as_ref().err().map(Fault::code), fault, "{url}");
        }
        let everything = Reach::new(true, Networks::default());
        assert!(WebhookUrl::parse("http://127.0.0.1:3000/hook", &everything).is_ok());
        assert!(WebhookUrl::parse("http://user@127.0.0.1:3000/hook", &everything).is_err());
    }

    #[test]
    fn an_inner_network_that_the_operator_opens_is_admitted_and_no_other() {
        let lab = Reach::new(false, "10.20.0.0/16".parse().expect("networks"));
        for (url, fault) in [
            ("https://10.20.3.4/hook", None),
            ("https://hooks.lan/hook", None),
            ("https://10.21.3.4/hook", Some("private_address")),
            ("http://10.20.3.4/hook", None),
            ("http://hooks.lan/hook", None),
            ("http://hooks.acme.com/hook", Some("invalid_url")),
        ] {
            assert_eq!(WebhookUrl::parse(url, &lab).err().map(|fault| fault.code()), fault, "{url}");
        }
    }
}
