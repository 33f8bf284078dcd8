//! Messages that have been reported, so that each is reported once and not at each attempt.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// The maximum number of messages remembered. A forgotten message is reported again.
const REMEMBERED: usize = 10_000;

/// The ids of the messages that have been reported.
#[derive(Default)]
pub(crate) struct Reported(Mutex<State>);

#[derive(Default)]
struct State {
    ids: HashSet<String>,
    /// The oldest first.
    order: VecDeque<String>,
}

impl Reported {
    /// Remembers the message, and returns whether it had not been reported.
    pub(crate) fn is_new(&self, message_id: &str) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.ids.insert(message_id.to_owned()) {
            return false;
        }
        state.order.push_back(message_id.to_owned());
        if state.order.len() > REMEMBERED
            && let Some(oldest) = state.order.pop_front()
        {
            state.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_new_once_and_the_memory_is_bounded() {
        let reported = Reported::default();
        assert!(reported.is_new("first") && !reported.is_new("first"));
        for number in 0..REMEMBERED {
            assert!(reported.is_new(&number.to_string()));
        }
        assert!(reported.is_new("first"), "forgotten");
        assert_eq!(reported.0.lock().unwrap().ids.len(), REMEMBERED);
    }
}
