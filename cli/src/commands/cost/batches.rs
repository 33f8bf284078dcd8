//! How many messages a consumer's requests to SQS hold (A3 of docs/capacity.md).
//!
//! Messages arrive at a task independently of each other, so their number in a time follows a Poisson distribution.

use std::time::Duration;

use super::poisson::expected;

/// The most messages of a request.
pub(super) const FULL: u32 = 10;
/// Messages a second and task with which receives fill by themselves: they arrive faster than requests are answered.
pub(super) const BUSY: f64 = 100.0;
/// The time for which a delete waits for others while there is little to do.
pub(super) const DELETE_LINGER: Duration = Duration::from_millis(200);
/// The pause of a consumer between two receives, unless it is configured.
pub(super) const RECEIVE_PAUSE: Duration = Duration::ZERO;

/// Messages of a request, on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Batches {
    pub(super) receive: f64,
    pub(super) delete: f64,
}

impl Batches {
    /// Computes them for a task that takes `a_second` messages and pauses between receives.
    pub(super) fn of(a_second: f64, receive_pause: Duration) -> Self {
        let during = |time: Duration| a_second * time.as_secs_f64();
        Self {
            // A receive takes what has arrived during the pause, and otherwise waits for the next message.
            receive: if a_second < BUSY {
                let arrived = during(receive_pause);
                expected(arrived, FULL) + (-arrived).exp()
            } else {
                f64::from(FULL)
            },
            // The first message of a batch begins the wait for the others.
            delete: 1.0 + expected(during(DELETE_LINGER), FULL - 1),
        }
    }

    /// Requests for a message: its own to send it, and its share of a receive and of a delete.
    pub(super) fn requests(self) -> f64 {
        1.0 + 1.0 / self.receive + 1.0 / self.delete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 0.005, "{found} instead of {expected}");
    }

    #[test]
    fn a_receive_without_a_pause_takes_one_message_until_they_arrive_faster_than_requests() {
        near(Batches::of(9.0, Duration::ZERO).receive, 1.0);
        near(Batches::of(99.0, Duration::ZERO).receive, 1.0);
        near(Batches::of(100.0, Duration::ZERO).receive, 10.0);
    }

    #[test]
    fn a_pause_fills_receives() {
        let receive = |a_second, ms| Batches::of(a_second, Duration::from_millis(ms)).receive;
        // One arrives on average: e⁻¹ that none does, and then the receive waits for one.
        near(receive(10.0, 100), 1.0 + (-1_f64).exp());
        near(receive(50.0, 100), 4.98);
        near(receive(90.0, 1_000), 10.0);
        near(receive(0.0, 100), 1.0);
    }

    #[test]
    fn deletes_wait_for_others() {
        near(Batches::of(0.0, Duration::ZERO).delete, 1.0);
        // 1.8 more on average, hardly ever more than nine.
        near(Batches::of(9.0, Duration::ZERO).delete, 2.8);
        near(Batches::of(600.0, Duration::ZERO).delete, 10.0);
    }

    #[test]
    fn batches_are_at_least_one_at_most_ten_and_grow_with_the_rate() {
        let all: Vec<_> =
            (0..200).map(|rate| Batches::of(f64::from(rate), Duration::from_millis(50))).collect();
        for batches in &all {
            assert!((1.0..=10.0).contains(&batches.receive) && (1.0..=10.0).contains(&batches.delete));
        }
        assert!(all.is_sorted_by(|one, next| one.receive <= next.receive && one.delete <= next.delete));
        near(Batches { receive: 10.0, delete: 10.0 }.requests(), 1.2);
    }
}
