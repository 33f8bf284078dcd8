//! How many calls of `PublishBatch` an event's notifications take (A22 of docs/capacity.md).
//!
//! Notifications of a recorded trace are sent in a call of their own, those of all others together. Events arrive at a task
//! independently of each other, unless a pause between receives gathers them in groups.

use std::time::Duration;

use super::batches::{self, BUSY};
use super::poisson::{capped, expected};

/// The most notifications of a call.
const FULL: u32 = 10;
/// The time for which a notification waits for others, unless it is configured.
pub(super) const LINGER: Duration = Duration::from_millis(5);
/// Assumption A10: the time for which an event is handled, notifications apart. What was received together is published
/// within it.
const HANDLING: Duration = Duration::from_millis(20);

/// How events come to a task of `notifier`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrivals {
    pub(super) a_second: f64,
    pub(super) receive_pause: Duration,
    /// Share of the events whose trace is recorded.
    pub(super) traced: f64,
}

/// The calls to a topic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Publishes {
    /// Calls for an event, on average.
    pub(super) calls: f64,
    /// Messages that a task of `notifier` has in flight.
    pub(super) in_flight: f64,
}

impl Publishes {
    /// Computes them for events of so many `notifications`, each of which waits for others for `linger`.
    pub(super) fn of(notifications: u32, arrivals: Arrivals, linger: Duration) -> Self {
        let Some(room) = FULL.checked_div(notifications) else { return Self { calls: 0.0, in_flight: 0.0 } };
        Self {
            calls: arrivals.traced + (1.0 - arrivals.traced) / arrivals.joined(room.max(1), linger),
            in_flight: arrivals.a_second * (HANDLING + linger).as_secs_f64(),
        }
    }

    /// Returns the notifications of a call, on average; none if nothing is published.
    pub(super) fn notifications(self, of_an_event: u32) -> f64 {
        if self.calls > 0.0 { f64::from(of_an_event) / self.calls } else { 0.0 }
    }
}

impl Arrivals {
    /// Returns how many events without a recorded trace share a call that has `room` for so many.
    fn joined(self, room: u32, linger: Duration) -> f64 {
        let busy = self.a_second >= BUSY;
        let pause = if busy { Duration::ZERO } else { self.receive_pause };
        let grouped = linger >= HANDLING && (busy || !pause.is_zero());
        let during = if grouped { linger.saturating_sub(pause) } else { linger };
        // The first event of a call begins the wait for the others.
        let later = 1.0 + expected(self.untraced() * during.as_secs_f64(), room - 1);
        if grouped { later.max(self.together(room, pause)) } else { later }
    }

    /// Returns how many of the events that are received together share a call.
    fn together(self, room: u32, pause: Duration) -> f64 {
        if self.a_second >= BUSY {
            let most = batches::FULL;
            return f64::from(most) * (1.0 - self.traced) / f64::from(most.div_ceil(room));
        }
        // If none has arrived during the pause, the receive waits for one.
        let received = capped(self.untraced() * pause.as_secs_f64(), batches::FULL);
        let numbers = || (0..).map(|number: u32| number.max(1)).zip(&received);
        let events: f64 = numbers().map(|(number, probability)| f64::from(number) * probability).sum();
        let calls: f64 =
            numbers().map(|(number, probability)| f64::from(number.div_ceil(room)) * probability).sum();
        events / calls
    }

    fn untraced(self) -> f64 {
        self.a_second * (1.0 - self.traced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(notifications: u32, a_second: f64, pause_ms: u64, traced: f64, linger_ms: u64) -> f64 {
        let receive_pause = Duration::from_millis(pause_ms);
        let arrivals = Arrivals { a_second, receive_pause, traced };
        Publishes::of(notifications, arrivals, Duration::from_millis(linger_ms)).calls
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 0.001, "{found} instead of {expected}");
    }

    #[test]
    fn an_event_without_company_takes_a_call() {
        near(calls(2, 0.0, 0, 0.0, 5), 1.0);
        near(calls(1, 50.0, 0, 0.0, 0), 1.0);
        near(calls(0, 50.0, 0, 0.0, 100), 0.0);
    }

    #[test]
    fn a_recorded_trace_has_its_own_call() {
        near(calls(2, 50.0, 100, 1.0, 100), 1.0);
        // A tenth alone; so many others in a minute that each call has the five that it has room for.
        near(calls(2, 10.0, 0, 0.1, 60_000), 0.1 + 0.9 / 5.0);
    }

    /// One arrives on average in the linger: with room for nine more, 1 + 1; with room for four more, 0.0043 less.
    #[test]
    fn independent_events_join_during_the_linger() {
        near(calls(1, 10.0, 0, 0.0, 100), 1.0 / 2.0);
        near(calls(2, 10.0, 0, 0.0, 100), 1.0 / 1.9957);
        near(calls(2, 5_000.0, 0, 0.0, 100), 1.0 / 5.0);
    }

    /// Five arrive on average during the pause, 4.978 of them among the first ten, and e⁻⁵ = 0.007 for a receive that waits for one. Six and more, with a probability of
    /// 0.384, take a second call if two notifications are an event.
    #[test]
    fn what_is_received_together_is_published_together() {
        near(calls(1, 50.0, 100, 0.0, 100), 1.0 / 4.985);
        near(calls(2, 50.0, 100, 0.0, 100), 1.384 / 4.985);
        // Too short for all that were received together: 0.25 arrive in 5 ms.
        near(calls(1, 50.0, 100, 0.0, 5), 1.0 / 1.25);
        // The next group comes before the linger ends.
        near(calls(2, 50.0, 100, 0.0, 1_000), 1.0 / 5.0);
    }

    #[test]
    fn full_receives_make_full_calls() {
        near(calls(1, 600.0, 0, 0.0, 20), 1.0 / 10.0);
        near(calls(2, 600.0, 100, 0.02, 20), 0.02 + 0.98 / 5.0);
        // 2.94 arrive in 5 ms, of which at most four count: 2.64.
        near(calls(2, 600.0, 0, 0.02, 5), 0.02 + 0.98 / 3.6414);
    }

    #[test]
    fn a_longer_linger_keeps_more_in_flight() {
        let arrivals = Arrivals { a_second: 600.0, receive_pause: Duration::ZERO, traced: 0.0 };
        near(Publishes::of(2, arrivals, Duration::from_millis(100)).in_flight, 72.0);
        near(Publishes::of(2, arrivals, Duration::from_millis(100)).notifications(2), 10.0);
    }
}
