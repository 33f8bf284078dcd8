//! IP addresses, and the ranges of them that CIDR notation names.

use std::net::Ipv6Addr;

/// An address as the number it is; a v4 address and a v6 address are never equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    V4(u32),
    V6(u128),
}

impl Address {
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.contains(':') {
            let address: Ipv6Addr = text.parse().ok()?;
            // Java, in which AWS's engine is written, makes a v4 address of a mapped one.
            return Some(match address.to_ipv4_mapped() {
                Some(mapped) => Self::V4(mapped.to_bits()),
                None => Self::V6(address.to_bits()),
            });
        }
        let mut bits = 0;
        let mut parts = 0;
        for part in text.split('.') {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            bits = (bits << 8) | u32::from(part.parse::<u8>().ok()?);
            parts += 1;
            if parts > 4 {
                return None;
            }
        }
        (parts == 4).then_some(Self::V4(bits))
    }
}

/// The addresses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    first: Address,
    last: Address,
}

impl Block {
    /// Reads `address/bits`, or returns AWS's words for what is wrong.
    ///
    /// The block starts at the address that is written, as in AWS's engine: `10.0.0.7/24` begins with `10.0.0.7`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let Some((address, bits)) =
            text.split_once('/').filter(|(_, bits)| !bits.is_empty() && !bits.contains('/'))
        else {
            return Err("Malformed CIDR, one '/' required".to_owned());
        };
        let Ok(bits) = bits.parse::<i32>() else {
            return Err("Malformed CIDR, mask bits must be an integer".to_owned());
        };
        let Ok(bits) = u32::try_from(bits) else {
            return Err("Malformed CIDR, mask bits must not be negative".to_owned());
        };
        match Address::read(address) {
            None => Err(format!("Nonstandard IP address: {address}")),
            Some(Address::V4(_)) if bits > 31 => Err("IPv4 mask bits must be < 32".to_owned()),
            Some(Address::V6(_)) if bits > 127 => Err("IPv6 mask bits must be < 128".to_owned()),
            Some(first @ Address::V4(v4)) => Ok(Self { first, last: Address::V4(v4 | (u32::MAX >> bits)) }),
            Some(first @ Address::V6(v6)) => Ok(Self { first, last: Address::V6(v6 | (u128::MAX >> bits)) }),
        }
    }

    pub(crate) fn contains(self, address: Address) -> bool {
        match (self.first, address, self.last) {
            (Address::V4(first), Address::V4(address), Address::V4(last)) => {
                (first..=last).contains(&address)
            }
            (Address::V6(first), Address::V6(address), Address::V6(last)) => {
                (first..=last).contains(&address)
            }
            _ => false,
        }
    }
}
