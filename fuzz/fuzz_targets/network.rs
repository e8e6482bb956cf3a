//! Networks as an operator writes them, and addresses as peers and proxies name them.
#![no_main]

use std::net::IpAddr;

use orquiva_core::network::{Network, Networks, NotANetwork};

libfuzzer_sys::fuzz_target!(|data: (&str, IpAddr)| {
    let (text, address) = data;
    if let Ok(networks) = text.parse::<Networks>() {
        assert_eq!(networks.to_string().parse::<Networks>().as_ref(), Ok(&networks));
        assert_eq!(networks.contain(address), networks.contain(address.to_canonical()));
    }
    match text.parse::<Network>() {
        Ok(network) => {
            let shown = network.to_string();
            let (first, _) = shown.split_once('/').expect("a network");
            assert!(network.contains(first.parse().expect("an address")), "{shown} has its first address");
        }
        Err(NotANetwork::NotTheFirst(meant)) => assert_eq!(meant.to_string().parse(), Ok(meant)),
        Err(NotANetwork::Malformed) => {}
    }
});
