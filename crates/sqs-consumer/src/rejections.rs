//! Messages that a dependency rejected, until it is clear whether the message or the dependency is at fault.
//!
//! One rejection is ambiguous: the message may be at fault, or a deployment may have broken something so that every
//! message is rejected. The message itself is held to be at fault once another message of its type has taken effect
//! since the first rejection, or once a whole window has passed without the brake engaging.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use outcome::Done;
use tokio::time::Instant;

/// The maximum number of messages remembered. A forgotten message counts as rejected for the first time, so it only
/// stays on the queue a little longer.
const REMEMBERED: usize = 10_000;

/// The first rejections of messages, and how many other messages have taken effect.
pub(crate) struct Rejections {
    window: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    first: HashMap<String, First>,
    /// The messages in the order of their first rejection, so that the oldest is forgotten first. An id may outlive its
    /// entry in `first`.
    order: VecDeque<String>,
    /// How many messages of each event type have taken effect.
    passed: HashMap<String, u64>,
    paused: bool,
}

/// The first rejection of a message.
struct First {
    at: Instant,
    /// How many messages of its type had taken effect by then. Only later ones are evidence, since something may have
    /// broken after the earlier ones.
    passed: u64,
}

impl Rejections {
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding the lock; even if it were poisoned, the maps would be consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a rejection. Returns whether the message itself is at fault.
    pub(crate) fn is_own_fault(&self, message_id: &str, event_type: &str, now: Instant) -> bool {
        let mut state = self.state();
        let passed = state.passed.get(event_type).copied().unwrap_or_default();
        if let Some(first) = state.first.get(message_id) {
            let proven = passed > first.passed || now.duration_since(first.at) >= self.window;
            // While receiving pauses, every message may be affected, so nothing is proven about this one.
            if proven && !state.paused {
                state.first.remove(message_id);
                return true;
            }
            return false;
        }
        state.first.insert(message_id.to_owned(), First { at: now, passed });
        state.order.push_back(message_id.to_owned());
        while state.order.len() > REMEMBERED {
            if let Some(oldest) = state.order.pop_front() {
                state.first.remove(&oldest);
            }
        }
        false
    }

    /// Records a message that was handled. A duplicate or an ignored event proves nothing: its handler may have skipped
    /// the very call that is rejected for others.
    pub(crate) fn handled(&self, message_id: &str, event_type: &str, done: Done) {
        let mut state = self.state();
        state.first.remove(message_id);
        if !done.took_effect {
            return;
        }
        match state.passed.get_mut(event_type) {
            Some(passed) => *passed += 1,
            None => drop(state.passed.insert(event_type.to_owned(), 1)),
        }
    }

    /// Returns whether receiving pauses.
    pub(crate) fn is_paused(&self) -> bool {
        self.state().paused
    }

    /// Records whether receiving pauses. While it pauses, no message is held to be at fault. Either way the
    /// first rejections are forgotten: a rejection from before the repair says nothing about the time after it.
    pub(crate) fn paused(&self, paused: bool) {
        let mut state = self.state();
        state.paused = paused;
        state.first.clear();
        state.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(1);

    #[test]
    fn a_message_is_at_fault_once_another_of_its_type_has_taken_effect() {
        let (rejections, now) = (Rejections::new(WINDOW), Instant::now());
        assert!(!rejections.is_own_fault("bad", "Renamed", now), "never at once");
        assert!(!rejections.is_own_fault("bad", "Renamed", now));
        rejections.handled("other", "Enrolled", Done::APPLIED);
        rejections.handled("twice", "Renamed", Done::DUPLICATE);
        rejections.handled("none", "Renamed", Done::IGNORED);
        assert!(!rejections.is_own_fault("bad", "Renamed", now));
        rejections.handled("good", "Renamed", Done::new("sent"));
        assert!(rejections.is_own_fault("bad", "Renamed", now));
        assert!(!rejections.is_own_fault("late", "Renamed", now), "earlier successes prove nothing");
    }

    #[test]
    fn a_message_is_at_fault_after_a_window() {
        let (rejections, now) = (Rejections::new(WINDOW), Instant::now());
        assert!(!rejections.is_own_fault("bad", "Renamed", now));
        assert!(!rejections.is_own_fault("bad", "Renamed", now + WINDOW / 2));
        assert!(rejections.is_own_fault("bad", "Renamed", now + WINDOW));
    }

    #[test]
    fn no_message_is_at_fault_while_receiving_pauses_and_counting_restarts_afterwards() {
        let (rejections, now) = (Rejections::new(WINDOW), Instant::now());
        assert!(!rejections.is_own_fault("bad", "Renamed", now));
        rejections.paused(true);
        assert!(!rejections.is_own_fault("bad", "Renamed", now));
        assert!(!rejections.is_own_fault("bad", "Renamed", now + WINDOW * 9));
        rejections.paused(false);
        assert!(!rejections.is_own_fault("bad", "Renamed", now + WINDOW * 10));
        assert!(rejections.is_own_fault("bad", "Renamed", now + WINDOW * 11));
    }

    #[test]
    fn the_memory_is_bounded() {
        let (rejections, now) = (Rejections::new(WINDOW), Instant::now());
        for number in 0..=REMEMBERED {
            assert!(!rejections.is_own_fault(&number.to_string(), "Renamed", now));
        }
        assert_eq!(rejections.state().first.len(), REMEMBERED);
        assert!(!rejections.is_own_fault("0", "Renamed", now + WINDOW), "forgotten");
    }
}
