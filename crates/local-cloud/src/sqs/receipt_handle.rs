//! Receipt handles: which receive of which message a caller refers to.
//!
//! A handle names its queue, the message and the receive, and is sealed with a keyed hash. No table of handles is needed,
//! so they take no memory, and one that AWS would not have issued is recognised as such.

use std::hash::{BuildHasher as _, RandomState};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const VERSION: [u8; 3] = [1, 1, 1];
const LENGTH: usize = VERSION.len() + 8 + 8 + 4 + 8;

/// One receive of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Receipt {
    pub(super) queue: u64,
    pub(super) message: u64,
    pub(super) receive: u32,
}

/// The key with which handles are sealed. It is chosen at the start, so a restarted cloud refuses earlier handles.
#[derive(Clone, Debug, Default)]
pub(super) struct Seal(RandomState);

impl Seal {
    pub(super) fn encode(&self, receipt: Receipt) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(VERSION);
        bytes.extend(receipt.queue.to_be_bytes());
        bytes.extend(receipt.message.to_be_bytes());
        bytes.extend(receipt.receive.to_be_bytes());
        bytes.extend(self.of(receipt).to_be_bytes());
        STANDARD.encode(bytes)
    }

    /// Returns `None` for anything that [`encode`](Self::encode) did not return.
    pub(super) fn decode(&self, handle: &str) -> Option<Receipt> {
        let bytes: [u8; LENGTH] = STANDARD.decode(handle).ok()?.try_into().ok()?;
        let (version, rest) = bytes.split_first_chunk::<3>()?;
        let (queue, rest) = rest.split_first_chunk::<8>()?;
        let (message, rest) = rest.split_first_chunk::<8>()?;
        let (receive, rest) = rest.split_first_chunk::<4>()?;
        let seal = rest.first_chunk::<8>()?;
        let receipt = Receipt {
            queue: u64::from_be_bytes(*queue),
            message: u64::from_be_bytes(*message),
            receive: u32::from_be_bytes(*receive),
        };
        (*version == VERSION && u64::from_be_bytes(*seal) == self.of(receipt)).then_some(receipt)
    }

    fn of(&self, receipt: Receipt) -> u64 {
        self.0.hash_one(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_handles_are_read() {
        let seal = Seal::default();
        let receipt = Receipt { queue: 7, message: u64::MAX, receive: 3 };
        let handle = seal.encode(receipt);
        assert_eq!(seal.decode(&handle), Some(receipt));
        assert_eq!(Seal::default().decode(&handle), None, "another cloud's handle");
        let forged = format!("B{}", &handle[1..]);
        for garbage in ["", "garbage", "AQEB", forged.as_str(), &handle[..handle.len() - 4]] {
            assert_eq!(seal.decode(garbage), None, "{garbage}");
        }
    }
}
