//! Messages that a dependency rejected, until it is known whose fault that is.
//!
//! One rejection is ambiguous: the message may be at fault, or a deployment has broken something and every message is
//! rejected. A message is believed to be at fault itself when another one of its type has passed since it was first
//! rejected, or when a whole window has gone by without the brake engaging.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use outcome::Done;
use tokio::time::Instant;

/// How many messages are remembered at most. One that is forgotten counts as rejected for the first time, so it stays on
/// the queue for a little longer.
const REMEMBERED: usize = 10_000;

pub(crate) struct Rejections {
    window: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    first: HashMap<String, First>,
    /// The messages in the order of their first rejection.
    order: VecDeque<String>,
    /// How many messages of each event type took effect.
    passed: HashMap<String, u64>,
    paused: bool,
}

/// The first rejection of a message.
struct First {
    at: Instant,
    passed: u64,
}

impl Rejections {
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics; a poisoned lock would hold sound maps all the same.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a rejection, and says whether the message is at fault itself.
    pub(crate) fn is_own_fault(&self, message_id: &str, event_type: &str, now: Instant) -> bool {
        let mut state = self.state();
        let passed = state.passed.get(event_type).copied().unwrap_or_default();
        if let Some(first) = state.first.get(message_id) {
            let believed = passed > first.passed || now.duration_since(first.at) >= self.window;
            if believed && !state.paused {
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

    /// Takes in a message that was handled. A duplicate or an ignored event proves nothing: its handler may have left out
    /// the very call that others are rejected for.
    pub(crate) fn handled(&self, message_id: &str, event_type: &str, done: Done) {
        let mut state = self.state();
        state.first.remove(message_id);
        if done == Done::DUPLICATE || done == Done::IGNORED {
            return;
        }
        match state.passed.get_mut(event_type) {
            Some(passed) => *passed += 1,
            None => drop(state.passed.insert(event_type.to_owned(), 1)),
        }
    }

    /// While receiving pauses, nothing rejected is believed. When it resumes, everything counts anew: what was rejected
    /// before the mend says nothing about after.
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
    fn a_message_is_believed_at_fault_once_another_of_its_type_took_effect() {
        let (rejections, now) = (Rejections::new(WINDOW), Instant::now());
        assert!(!rejections.is_own_fault("bad", "Renamed", now), "never at once");
        assert!(!rejections.is_own_fault("bad", "Renamed", now));
        rejections.handled("other", "Enrolled", Done::APPLIED);
        rejections.handled("twice", "Renamed", Done::DUPLICATE);
        rejections.handled("none", "Renamed", Done::IGNORED);
        assert!(!rejections.is_own_fault("bad", "Renamed", now));
        rejections.handled("good", "Renamed", Done::new("sent"));
        assert!(rejections.is_own_fault("bad", "Renamed", now));
        assert!(!rejections.is_own_fault("late", "Renamed", now), "what passed before proves nothing");
    }

    #[test]
    fn a_message_is_believed_at_fault_after_a_window() {
        let (rejections, now) = (Rejections::new(WINDOW), Instant::now());
        assert!(!rejections.is_own_fault("bad", "Renamed", now));
        assert!(!rejections.is_own_fault("bad", "Renamed", now + WINDOW / 2));
        assert!(rejections.is_own_fault("bad", "Renamed", now + WINDOW));
    }

    #[test]
    fn nothing_is_believed_while_receiving_pauses_and_all_counts_anew_after() {
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
    fn memory_is_bounded() {
        let (rejections, now) = (Rejections::new(WINDOW), Instant::now());
        for number in 0..=REMEMBERED {
            assert!(!rejections.is_own_fault(&number.to_string(), "Renamed", now));
        }
        assert_eq!(rejections.state().first.len(), REMEMBERED);
        assert!(!rejections.is_own_fault("0", "Renamed", now + WINDOW), "forgotten");
    }
}
