//! Networks of addresses in CIDR notation (RFC 4632, RFC 4291 §2.3): from where a client may come.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A network, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u32,
}

/// What does not name a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotANetwork {
    /// No address, or no length of a prefix.
    #[error("write an address or a network such as 203.0.113.0/24 or 2001:db8::/32")]
    Malformed,
    /// An address inside the network where its first one should be: most likely a slip.
    #[error("an address of that network stands where its first one should: did you mean {0}?")]
    NotTheFirst(Network),
}

impl Network {
    /// Whether `ip` is in it. An IPv4 address that is written as IPv6 (`::ffff:…`) is IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        masked(ip.to_canonical(), self.bits) == Some(self.first)
            && ip.to_canonical().is_ipv4() == self.first.is_ipv4()
    }
}

/// The first address of the network of `bits` that `ip` is in; nothing if there is no such length.
fn masked(ip: IpAddr, bits: u32) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(ip) => {
            let rest = 32_u32.checked_sub(bits)?;
            Some(IpAddr::V4((ip.to_bits() & u32::MAX.checked_shl(rest).unwrap_or(0)).into()))
        }
        IpAddr::V6(ip) => {
            let rest = 128_u32.checked_sub(bits)?;
            Some(IpAddr::V6((ip.to_bits() & u128::MAX.checked_shl(rest).unwrap_or(0)).into()))
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| NotANetwork::Malformed)?;
        let bits = match bits {
            None => {
                if ip.is_ipv4() {
                    32
                } else {
                    128
                }
            }
            Some(bits) if !bits.is_empty() && bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit()) => {
                bits.parse().map_err(|_| NotANetwork::Malformed)?
            }
            Some(_) => return Err(NotANetwork::Malformed),
        };
        // `::ffff:10.0.0.0/104` is 10.0.0.0/8: peers are compared as IPv4.
        let (ip, bits) = match ip.to_canonical() {
            plain @ IpAddr::V4(_) if ip.is_ipv6() && bits >= 96 => (plain, bits - 96),
            IpAddr::V4(_) | IpAddr::V6(_) => (ip, bits),
        };
        let first = masked(ip, bits).ok_or(NotANetwork::Malformed)?;
        let network = Self { first, bits };
        if first == ip { Ok(network) } else { Err(NotANetwork::NotTheFirst(network)) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Some networks. They are stored as one text, parted by spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them has `ip`.
    pub fn contain(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(ip))
    }
}

impl From<Vec<Network>> for Networks {
    fn from(networks: Vec<Network>) -> Self {
        Self(networks)
    }
}

impl FromStr for Networks {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        text.split(' ')
            .filter(|part| !part.is_empty())
            .map(Network::from_str)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(Network::to_string).collect();
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(text: &str) -> Network {
        text.parse().expect(text)
    }

    #[test]
    fn a_network_has_its_own_addresses_only() {
        for (net, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
        ] {
            assert!(network(net).contains(inside.parse().expect("an address")), "{net} has {inside}");
            assert!(!network(net).contains(outside.parse().expect("an address")), "{net} has not {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_a_slip_is_shown() {
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "10.0.0.0/8/8",
            "a",
            "10.0.0.0 /8",
        ] {
            assert_eq!(wrong.parse::<Network>(), Err(NotANetwork::Malformed), "{wrong}");
        }
        assert_eq!("10.1.2.3/8".parse::<Network>(), Err(NotANetwork::NotTheFirst(network("10.0.0.0/8"))));
    }

    proptest! {
        #[test]
        fn a_network_reads_back_and_has_what_shares_its_prefix(ip in any::<u32>(), other in any::<u32>(), bits in 0_u32..=32) {
            let first = u64::from(ip) >> (32 - bits) << (32 - bits);
            let net = Network { first: IpAddr::V4((first as u32).into()), bits };
            prop_assert_eq!(network(&net.to_string()), net);
            let shares = u64::from(other) >> (32 - bits) == first >> (32 - bits);
            prop_assert_eq!(net.contains(IpAddr::V4(other.into())), shares);
        }

        #[test]
        fn whatever_is_written_is_read_or_refused(text in "[0-9a-f:./ ]{0,24}") {
            if let Ok(networks) = text.parse::<Networks>() {
                prop_assert_eq!(networks.to_string().parse::<Networks>(), Ok(networks));
            }
        }
    }
}
