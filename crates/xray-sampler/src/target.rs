//! What X-Ray assigned to this service for a rule.

use std::time::Duration;

/// The latest date that is believed, from now on. X-Ray's quotas last for some minutes.
const LONGEST_VALIDITY: Duration = Duration::from_hours(1);

/// An answer about one rule, as it was received. What is absent stays as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TargetAnswer {
    pub(crate) rule: String,
    /// The share of traces beyond the reservoir.
    pub(crate) fixed_rate: Option<f64>,
    /// Traces a second, and the date (in seconds since the Unix epoch) until which they may be taken.
    pub(crate) quota: Option<(u32, f64)>,
    /// A share that replaces a lower fixed rate until a date.
    pub(crate) boost: Option<(f64, f64)>,
    /// Seconds until X-Ray wants the next report.
    pub(crate) interval: Option<u64>,
}

/// When an answer was received, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) now: Duration,
    /// In seconds since the Unix epoch.
    pub(crate) date: f64,
}

impl Received {
    /// Converts a date to a time of the monotonic clock. This is the only moment at which the two clocks are compared,
    /// so a later change of the system's clock neither extends nor ends what lasts until then.
    fn time_of(self, date: f64) -> Duration {
        let left = Duration::try_from_secs_f64((date - self.date).max(0.0)).unwrap_or(LONGEST_VALIDITY);
        self.now.saturating_add(left.min(LONGEST_VALIDITY))
    }
}

/// A value that is valid until a time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limited<T> {
    value: T,
    until: Duration,
}

impl<T: Copy> Limited<T> {
    fn at(self, now: Duration) -> Option<T> {
        (now < self.until).then_some(self.value)
    }
}

/// What applies to a rule now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    fixed_rate: f64,
    quota: Option<Limited<u32>>,
    boost: Option<Limited<f64>>,
}

impl Target {
    /// Creates what applies until X-Ray answers: the rule's own rate, and no quota.
    pub(crate) fn new(fixed_rate: f64) -> Self {
        Self { fixed_rate, quota: None, boost: None }
    }

    /// Returns what applies after an answer. An answer without a quota does not end the previous one, whose date says how
    /// long it lasts
    /// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sampling.html>).
    pub(crate) fn after(&self, answer: &TargetAnswer, received: Received) -> Self {
        let quota = answer.quota.map(|(value, date)| Limited { value, until: received.time_of(date) });
        let boost = answer.boost.map(|(value, date)| Limited { value, until: received.time_of(date) });
        Self {
            fixed_rate: answer.fixed_rate.unwrap_or(self.fixed_rate),
            quota: quota.or(self.quota),
            boost: boost.or(self.boost),
        }
    }

    /// Returns the traces a second that X-Ray assigned to this service, if it did and they are still valid.
    pub(crate) fn quota(&self, now: Duration) -> Option<u32> {
        self.quota.and_then(|quota| quota.at(now))
    }

    /// Returns the share of traces beyond the reservoir.
    pub(crate) fn rate(&self, now: Duration) -> f64 {
        let boost = self.boost.and_then(|boost| boost.at(now)).unwrap_or(0.0);
        self.fixed_rate.max(boost)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Received, Target, TargetAnswer};

    const RECEIVED: Received = Received { now: Duration::from_secs(100), date: 1_800_000_000.0 };

    fn after_seconds(seconds: u64) -> Duration {
        RECEIVED.now + Duration::from_secs(seconds)
    }

    fn answer(quota: Option<(u32, f64)>, boost: Option<(f64, f64)>) -> TargetAnswer {
        TargetAnswer { quota, boost, ..TargetAnswer::default() }
    }

    #[test]
    fn a_quota_lasts_until_its_date() {
        let target = Target::new(0.1).after(&answer(Some((7, RECEIVED.date + 300.0)), None), RECEIVED);
        assert_eq!(target.quota(after_seconds(299)), Some(7));
        assert_eq!(target.quota(after_seconds(300)), None);
    }

    #[test]
    fn a_quota_outlasts_an_answer_without_one_and_yields_to_the_next() {
        let first = Target::new(0.1).after(&answer(Some((7, RECEIVED.date + 300.0)), None), RECEIVED);
        let second = first.after(&answer(None, None), RECEIVED);
        assert_eq!(second.quota(after_seconds(1)), Some(7));
        let third = second.after(&answer(Some((0, RECEIVED.date + 300.0)), None), RECEIVED);
        assert_eq!(third.quota(after_seconds(1)), Some(0), "a quota of nothing is one");
    }

    #[test]
    fn dates_that_are_past_or_absurd_do_no_harm() {
        for (date, valid_seconds) in [
            (RECEIVED.date - 1.0, 0),
            (f64::MIN, 0),
            (f64::NAN, 0),
            (f64::MAX, 3_600),
            (f64::INFINITY, 3_600),
        ] {
            let target = Target::new(0.1).after(&answer(Some((7, date)), None), RECEIVED);
            assert_eq!(target.quota(after_seconds(valid_seconds)), None, "{date}");
            if valid_seconds > 0 {
                assert_eq!(target.quota(after_seconds(valid_seconds - 1)), Some(7), "{date}");
            }
        }
    }

    #[test]
    fn the_answers_rate_replaces_the_rules() {
        let changed = TargetAnswer { fixed_rate: Some(0.5), ..TargetAnswer::default() };
        let target = Target::new(0.1).after(&changed, RECEIVED);
        assert!((target.rate(RECEIVED.now) - 0.5).abs() < f64::EPSILON);
        let target = target.after(&TargetAnswer::default(), RECEIVED);
        assert!((target.rate(RECEIVED.now) - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn a_boost_raises_the_rate_until_its_date_and_never_lowers_it() {
        let rate = |fixed_rate, boost, seconds| {
            let target =
                Target::new(fixed_rate).after(&answer(None, Some((boost, RECEIVED.date + 60.0))), RECEIVED);
            target.rate(after_seconds(seconds))
        };
        assert!((rate(0.1, 0.8, 59) - 0.8).abs() < f64::EPSILON);
        assert!((rate(0.1, 0.8, 60) - 0.1).abs() < f64::EPSILON);
        assert!((rate(0.9, 0.8, 59) - 0.9).abs() < f64::EPSILON);
    }
}
