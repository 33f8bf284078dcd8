//! Which addresses a webhook may be at.
//!
//! A URL, or the DNS behind its host, must not make this service call what only the inside of a network reaches: the
//! credentials of the task, a database, another container.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who reaches an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Everybody.
    Everybody,
    /// This machine or network.
    Inside,
    /// Nobody should: the metadata of instances and tasks, groups of hosts, what is reserved.
    Nobody,
}

impl Reach {
    /// Returns who reaches `address`. An address that embeds one of IPv4 counts as that one.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Whether a webhook may be there.
    pub(crate) fn is_permitted(self, private: bool) -> bool {
        match self {
            Self::Everybody => true,
            Self::Inside => private,
            Self::Nobody => false,
        }
    }
}

/// By IANA's registry of
/// [special-purpose addresses](https://www.iana.org/assignments/iana-ipv4-special-registry/iana-ipv4-special-registry.xhtml).
fn of_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        // Private, loopback, and shared between a provider and its customers, or a cluster and its pods.
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Reach::Inside,
        // Unspecified, multicast, reserved, where AWS serves metadata and credentials of instances and tasks; protocols,
        // documentation and benchmarks.
        [0 | 224..=255, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [198, 18 | 19, ..] => Reach::Nobody,
        _ => Reach::Everybody,
    }
}

/// By IANA's registry of
/// [special-purpose addresses](https://www.iana.org/assignments/iana-ipv6-special-registry/iana-ipv6-special-registry.xhtml).
fn of_v6(address: Ipv6Addr) -> Reach {
    // The services of an instance, among the addresses of a private network
    // (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html).
    const METADATA: [u16; 2] = [0xfd00, 0x0ec2];
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Inside,
        // Mapped, translated by NAT64, and 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        [first, second, ..] if [first, second] == METADATA => Reach::Nobody,
        [first, ..] if first & 0xfe00 == 0xfc00 => Reach::Inside,
        // Teredo, benchmarks, ORCHID and documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0x0db8 => Reach::Nobody,
        [0x3fff, second, ..] if second < 0x1000 => Reach::Nobody,
        // The rest of what is assigned to hosts. Everything else is local to a link, a group, or reserved.
        [first, ..] if first & 0xe000 == 0x2000 => Reach::Everybody,
        _ => Reach::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_told() {
        let everybody =
            ["93.184.216.34", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1"];
        let everybody_v6 = ["2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"];
        let inside = [
            "10.0.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12:3456::1",
        ];
        let nobody = [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::7f00:1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
        ];
        for (addresses, expected) in [
            (&everybody[..], Reach::Everybody),
            (&everybody_v6, Reach::Everybody),
            (&inside, Reach::Inside),
            (&nobody, Reach::Nobody),
        ] {
            for address in addresses {
                assert_eq!(Reach::of(address.parse().unwrap()), expected, "{address}");
            }
        }
    }

    #[test]
    fn what_is_inside_must_be_allowed_and_what_nobody_reaches_cannot_be() {
        assert_eq!(
            [Reach::Everybody, Reach::Inside, Reach::Nobody].map(|it| it.is_permitted(false)),
            [true, false, false]
        );
        assert_eq!(
            [Reach::Everybody, Reach::Inside, Reach::Nobody].map(|it| it.is_permitted(true)),
            [true, true, false]
        );
    }
}
