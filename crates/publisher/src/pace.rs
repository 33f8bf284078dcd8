//! How fast calls may follow each other: bounded in number, and slower while the service throttles.

use std::time::Duration;

use aws_clients::AwsError;
use tokio::time::Instant;

use crate::PublisherSettings;

/// The pace shared by all calls of one publisher.
///
/// A throttled call or entry means that the service wants fewer calls, whoever makes them. So all calls pause together,
/// a single one then tries whether the service accepts again, and the number in flight doubles with each success.
pub(crate) struct Pace {
    /// How many calls may be in flight when nothing throttles.
    most: usize,
    /// How many may be in flight now.
    allowed: usize,
    /// How many pauses in a row were followed by another throttle.
    in_a_row: u32,
    pause: Option<Pause>,
}

struct Pause {
    began: Instant,
    ends: Instant,
    cause: AwsError,
}

impl Pace {
    pub(crate) fn new(settings: &PublisherSettings) -> Self {
        let most = settings.concurrent_calls.max(1);
        Self { most, allowed: most, in_a_row: 0, pause: None }
    }

    /// Returns whether one more call may start beside `in_flight` others, now or at the end of the pause.
    pub(crate) fn has_room(&self, in_flight: usize) -> bool {
        in_flight < self.allowed
    }

    /// Returns when the next call may start, if there is a pause.
    pub(crate) fn pause_ends(&self) -> Option<Instant> {
        self.pause.as_ref().map(|pause| pause.ends)
    }

    /// Returns the error because of which calls wait, if they have been throttled since the last success.
    pub(crate) fn cause(&self) -> Option<&AwsError> {
        self.pause.as_ref().map(|pause| &pause.cause)
    }

    /// Starts a pause, because a call that `started` then was throttled. If a part of its entries was accepted, the
    /// service keeps working, and the pause stays short.
    pub(crate) fn throttled(
        &mut self,
        started: Instant,
        cause: &AwsError,
        partly: bool,
        settings: &PublisherSettings,
    ) {
        if self.is_old_news(started) {
            return;
        }
        self.in_a_row = if partly { 1 } else { self.in_a_row.saturating_add(1) };
        self.allowed = if partly { (self.allowed / 2).max(1) } else { 1 };
        // A service may request any time, but after half of the deadline some entries can still be sent.
        let asked = cause.retry_after().unwrap_or(Duration::ZERO).min(settings.deadline / 2);
        let length = settings.pause_after(self.in_a_row).max(asked);
        let began = Instant::now();
        self.pause = Some(Pause { began, ends: began + length, cause: cause.clone() });
    }

    /// Notes that a call that `started` then was not throttled.
    pub(crate) fn accepted(&mut self, started: Instant) {
        if self.is_old_news(started) {
            return;
        }
        self.pause = None;
        self.in_a_row = 0;
        self.allowed = self.allowed.saturating_mul(2).min(self.most);
    }

    /// Returns whether a call started before the last pause began: calls in flight together are throttled together,
    /// and must not lengthen the pause once each.
    fn is_old_news(&self, started: Instant) -> bool {
        self.pause.as_ref().is_some_and(|pause| started < pause.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> AwsError {
        AwsError::of_entry("EventBridge", "PutEvents", "ThrottlingException", None)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_throttled_together_start_one_pause_and_successes_end_it_step_by_step() {
        let settings = PublisherSettings { concurrent_calls: 4, ..PublisherSettings::default() };
        let mut pace = Pace::new(&settings);
        let first_wave = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        for _ in 0..4 {
            pace.throttled(first_wave, &throttle(), false, &settings);
        }
        assert_eq!(pace.in_a_row, 1);
        assert!(pace.has_room(0) && !pace.has_room(1), "one call tries again");
        assert_eq!(pace.cause(), Some(&throttle()));

        tokio::time::advance(Duration::from_secs(1)).await;
        pace.accepted(first_wave);
        assert!(!pace.has_room(1), "a call from before the pause proves nothing");
        for (successes, allowed) in [(1, 2), (2, 4), (3, 4)] {
            pace.accepted(Instant::now());
            assert_eq!(pace.allowed, allowed, "after {successes} successes");
        }
        assert_eq!(pace.pause_ends(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_accepts_a_part_is_called_less_but_pauses_stay_short() {
        let settings = PublisherSettings { concurrent_calls: 16, ..PublisherSettings::default() };
        let mut pace = Pace::new(&settings);
        for allowed in [8, 4, 2, 1, 1] {
            tokio::time::advance(Duration::from_secs(1)).await;
            pace.throttled(Instant::now(), &throttle(), true, &settings);
            assert_eq!((pace.allowed, pace.in_a_row), (allowed, 1));
            assert!(pace.pause_ends().unwrap() <= Instant::now() + settings.backoff);
        }
    }
}
