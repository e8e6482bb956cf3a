//! The body by which a webhook is created. Whatever is accepted goes to a public address.
#![no_main]

use http::Method;
use orquiva_core::webhook::WebhookUrl;
use orquiva_core::webhook::address::{Reach, is_public};
use orquiva_fuzz::product;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Ok(text) = str::from_utf8(body)
        && let Ok(url) = WebhookUrl::parse(text, &Reach::default())
    {
        let again = WebhookUrl::parse(url.as_str(), &Reach::default()).expect("the normal form is accepted too");
        assert_eq!(again.as_str(), url.as_str());
        let host = url.as_str().split('/').nth(2).unwrap_or_default();
        let host = host
            .rsplit_once(':')
            .filter(|(_, port)| port.parse::<u16>().is_ok())
            .map_or(host, |(host, _)| host);
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            assert!(is_public(address), "{address}");
        }
    }
    product().write(Method::POST, "/v1/webhooks?dryRun=true", body.to_vec());
});
