//! Which addresses webhooks may reach: the public Internet only (OWASP API7:2023, server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::network::Networks;

/// What webhooks may reach: the public Internet, and what the operator adds to it.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    everything: bool,
    networks: Networks,
}

impl Reach {
    /// With `everything` inner networks are reached too, otherwise only those of `networks`.
    pub fn new(everything: bool, networks: Networks) -> Self {
        Self { everything, networks }
    }

    /// Whether a connection may be made to `ip`.
    pub fn admits(&self, ip: IpAddr) -> bool {
        is_public(ip) || self.opens(ip)
    }

    /// Whether a host name can lead to what may be reached; what it resolves to is checked at each connection.
    pub fn admits_name(&self, name: &str) -> bool {
        is_public_name(name) || self.opens_name(name)
    }

    /// Whether it is the operator who opened `ip`: there, plain `http` is good enough.
    pub fn opens(&self, ip: IpAddr) -> bool {
        self.everything || self.networks.contain(ip)
    }

    /// Whether it is the operator who opened what a host name can lead to.
    pub fn opens_name(&self, name: &str) -> bool {
        self.everything || (!self.networks.is_empty() && !is_public_name(name))
    }
}

/// Networks of IPv4 that are not the public Internet: IANA's special-purpose registry, multicast and class E.
const V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32), // a cloud's own services, behind an address that looks public
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Networks inside 2000::/3 that are not the public Internet; outside it nothing is.
const V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo, benchmarking, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Whether `ip` is on the public Internet. Of IPv6 only global unicast is: that leaves out loopback,
/// link-local, unique local, mapped and compatible IPv4, NAT64, SRv6 and the discard prefix at once.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !V4.iter().any(|(network, bits)| ip.to_bits() >> (32 - bits) == network.to_bits() >> (32 - bits))
        }
        IpAddr::V6(ip) => {
            ip.to_bits() >> 125 == 0b001
                && !V6
                    .iter()
                    .any(|(network, bits)| ip.to_bits() >> (128 - bits) == network.to_bits() >> (128 - bits))
        }
    }
}

/// Whether a host name can be of the public Internet: names that are local by definition
/// (RFC 6761, RFC 6762, RFC 9476) are refused without asking anyone.
pub fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let local = ["localhost", "local", "internal", "intranet", "lan", "home.arpa", "localdomain", "onion"];
    name.contains('.') && !local.iter().any(|local| name == *local || name.ends_with(&format!(".{local}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn inner_networks_are_refused_in_every_notation() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.19.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "100::1",
            "fec0::1",
            "ff02::1",
            "5f00::1",
            "3fff::1",
            "168.63.129.16",
            "100.100.100.200",
            "fd00:ec2::254",
            "fd20:ce::254",
            "2001:20::1",
            "2620:4f:8000::1",
            "::ffff:0:127.0.0.1",
        ] {
            assert!(!is_public(ip.parse().expect("an address")), "{ip}");
        }
        for ip in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4003::1"]
        {
            assert!(is_public(ip.parse().expect("an address")), "{ip}");
        }
    }

    #[test]
    fn an_operator_opens_single_networks() {
        let lab = Reach::new(false, "10.0.0.0/8 fd00::/8".parse().expect("networks"));
        for (ip, admitted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("fd00::1", true),
            ("1.1.1.1", true),
            ("127.0.0.1", false),
            ("192.168.0.1", false),
            ("169.254.169.254", false),
        ] {
            assert_eq!(lab.admits(ip.parse().expect("an address")), admitted, "{ip}");
        }
        assert!(lab.admits_name("hooks.lan") && !Reach::default().admits_name("hooks.lan"));
    }

    proptest! {
        #[test]
        fn an_inner_address_hides_in_no_notation(at in 0..V4.len(), host in any::<u32>()) {
            let (network, bits) = V4[at];
            let inner = network.to_bits() | (host & u32::MAX.checked_shr(bits).unwrap_or(0));
            prop_assert!(!is_public(IpAddr::V4(inner.into())));
            let [low, high] = [u128::from(inner), u128::from(inner) << 80];
            for prefix in [0, 0xffff << 32, 0xffff << 48, 0x64_ff9b << 96, 0x64_ff9b_0001 << 80] {
                prop_assert!(!is_public(IpAddr::V6((prefix | low).into())), "{prefix:x}");
            }
            prop_assert!(!is_public(IpAddr::V6(((0x2002 << 112) | high).into())), "6to4");
            prop_assert!(!is_public(IpAddr::V6(((0x2001_u128 << 112) | (low ^ 0xffff_ffff)).into())), "Teredo");
        }
    }

    #[test]
    fn local_names_are_refused() {
        for name in ["localhost", "LOCALHOST.", "db.internal", "printer.local", "intranet", "a.localhost"] {
            assert!(!is_public_name(name), "{name}");
        }
        assert!(is_public_name("hooks.acme.com"));
    }
}
