//! From where a request comes: the other end of the connection, or, behind proxies that the operator named, what
//! they say of it. A header that anyone could have written is never believed.

use std::net::{IpAddr, Ipv6Addr};

use http::{Extensions, HeaderMap};
use orquiva_core::network::Networks;

/// The other end of the connection. The accept loop puts it on each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// The address of whoever sent the request. Nothing is known of a request that came over no connection, or
/// whose trusted proxy wrote something that is no address.
pub fn of(trusted: &Networks, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
    let Peer(peer) = extensions.get::<Peer>()?;
    let mut address = peer.to_canonical();
    let lists: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    // From the nearest proxy backwards: each trusted one tells whom it got the request from.
    for list in lists.into_iter().rev() {
        for told in list.to_str().unwrap_or_default().rsplit(',') {
            if !trusted.contain(address) {
                return Some(address);
            }
            address = parse(told.trim())?;
        }
    }
    Some(address)
}

/// An address with or without a port, as proxies write it.
fn parse(text: &str) -> Option<IpAddr> {
    let ip: IpAddr = match text.parse() {
        Ok(ip) => ip,
        Err(_) => match text.parse::<std::net::SocketAddr>() {
            Ok(socket) => socket.ip(),
            Err(_) => text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?,
        },
    };
    Some(ip.to_canonical())
}

/// What counts as one address in a limit: of IPv6 the network of 64 bits that one subscriber gets.
pub fn subscriber(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn from(peer: &str, forwarded: &[&str]) -> Option<String> {
        let trusted = "10.0.0.0/8 fd00::/8".parse().expect("networks");
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().expect("an address")));
        let mut headers = HeaderMap::new();
        for list in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(list).expect("a value"));
        }
        of(&trusted, &extensions, &headers).map(|ip| ip.to_string())
    }

    #[test]
    fn only_trusted_proxies_say_who_sent_a_request() {
        for (peer, forwarded, expected) in [
            ("203.0.113.7", &[][..], Some("203.0.113.7")),
            ("203.0.113.7", &["198.51.100.1"], Some("203.0.113.7")),
            ("::ffff:203.0.113.7", &[], Some("203.0.113.7")),
            ("10.0.0.1", &["198.51.100.1"], Some("198.51.100.1")),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1"], Some("198.51.100.1")),
            ("10.0.0.1", &["198.51.100.1, 10.0.0.2"], Some("198.51.100.1")),
            ("10.0.0.1", &["198.51.100.1", "10.0.0.2"], Some("198.51.100.1")),
            ("10.0.0.1", &["10.0.0.3"], Some("10.0.0.3")),
            ("fd00::1", &["[2001:db8::1]:443"], Some("2001:db8::1")),
            ("10.0.0.1", &["198.51.100.1:8080"], Some("198.51.100.1")),
            ("10.0.0.1", &["unknown"], None),
            ("10.0.0.1", &["198.51.100.1, "], None),
        ] {
            assert_eq!(from(peer, forwarded).as_deref(), expected, "{peer} {forwarded:?}");
        }
        assert_eq!(subscriber("2001:db8:1:2:3::4".parse().expect("one")).to_string(), "2001:db8:1:2::");
    }

    proptest! {
        #[test]
        fn a_client_cannot_choose_its_address(written in "[0-9a-f.:, ]{0,40}", own in any::<u32>()) {
            let own = std::net::Ipv4Addr::from(own | 0x8000_0000).to_string(); // never a proxy of ours
            prop_assert_eq!(from(&own, &[&written]), Some(own.clone()));
            prop_assert_eq!(from("10.0.0.1", &[&format!("{written},{own}")]), Some(own));
        }
    }
}
