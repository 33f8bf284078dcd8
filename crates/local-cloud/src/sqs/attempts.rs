//! Receives that a consumer can repeat: with the `ReceiveRequestAttemptId` of an earlier receive, a FIFO queue returns the
//! same messages, for a client that lost the response (API reference, `ReceiveMessage`).

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::order::Key;

/// For how long a receive can be repeated.
const INTERVAL: Duration = Duration::from_mins(5);
/// How many receives a queue remembers.
const MOST: usize = 10_000;

/// The messages that a receive returned, each with the number of the receive.
pub(super) type Returned = Vec<(Key, u32)>;

#[derive(Debug, Default)]
pub(super) struct Attempts(VecDeque<(Instant, String, Returned)>);

impl Attempts {
    /// Takes out what the receive with this id returned.
    pub(super) fn take(&mut self, id: &str, now: Instant) -> Option<Returned> {
        while self.0.front().is_some_and(|(at, ..)| *at + INTERVAL <= now) {
            self.0.pop_front();
        }
        let index = self.0.iter().position(|(_, known, _)| known == id)?;
        self.0.remove(index).map(|(_, _, returned)| returned)
    }

    pub(super) fn remember(&mut self, id: String, returned: Returned, now: Instant) {
        self.0.push_back((now, id, returned));
        if self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        self.0 = VecDeque::new();
    }
}
