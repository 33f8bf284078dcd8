//! The target of a rule: the quota and the rate that X-Ray assigned to this service.

use std::time::Duration;

/// The longest accepted validity of a quota. X-Ray's quotas are valid for minutes.
const LONGEST_VALIDITY: Duration = Duration::from_hours(1);

/// An update of a rule's target, as received. Absent values remain unchanged.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TargetUpdate {
    pub(crate) rule: String,
    /// The share of traces beyond the reservoir.
    pub(crate) fixed_rate: Option<f64>,
    /// Traces per second, and the date until which the quota is valid, in seconds since the Unix epoch.
    pub(crate) quota: Option<(u32, f64)>,
    /// A share that replaces a lower fixed rate, and the date until which it is valid.
    pub(crate) boost: Option<(f64, f64)>,
    /// The seconds after which X-Ray expects the next report.
    pub(crate) interval: Option<u64>,
}

/// The time at which an update was received, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) now: Duration,
    /// In seconds since the Unix epoch.
    pub(crate) date: f64,
}

impl Received {
    /// Converts a date to a time of the monotonic clock. The two clocks are compared only here, so that a later
    /// adjustment of the system clock neither extends nor shortens a quota.
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

/// The target of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    fixed_rate: f64,
    quota: Option<Limited<u32>>,
    boost: Option<Limited<f64>>,
}

impl Target {
    /// Creates the target that applies until the first update: the rule's own rate, and no quota.
    pub(crate) fn new(fixed_rate: f64) -> Self {
        Self { fixed_rate, quota: None, boost: None }
    }

    /// Returns the target after an update. An update without a quota does not end the previous quota, which is valid
    /// until its date (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sampling.html>).
    pub(crate) fn after(&self, update: &TargetUpdate, received: Received) -> Self {
        let quota = update.quota.map(|(value, date)| Limited { value, until: received.time_of(date) });
        let boost = update.boost.map(|(value, date)| Limited { value, until: received.time_of(date) });
        Self {
            fixed_rate: update.fixed_rate.unwrap_or(self.fixed_rate),
            quota: quota.or(self.quota),
            boost: boost.or(self.boost),
        }
    }

    /// Returns the traces per second that X-Ray assigned to this service, if the quota is valid.
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

    use super::{Received, Target, TargetUpdate};

    const RECEIVED: Received = Received { now: Duration::from_secs(100), date: 1_800_000_000.0 };

    fn after_seconds(seconds: u64) -> Duration {
        RECEIVED.now + Duration::from_secs(seconds)
    }

    fn update(quota: Option<(u32, f64)>, boost: Option<(f64, f64)>) -> TargetUpdate {
        TargetUpdate { quota, boost, ..TargetUpdate::default() }
    }

    #[test]
    fn a_quota_lasts_until_its_date() {
        let target = Target::new(0.1).after(&update(Some((7, RECEIVED.date + 300.0)), None), RECEIVED);
        assert_eq!(target.quota(after_seconds(299)), Some(7));
        assert_eq!(target.quota(after_seconds(300)), None);
    }

    #[test]
    fn a_quota_survives_an_update_without_one_and_is_replaced_by_the_next() {
        let first = Target::new(0.1).after(&update(Some((7, RECEIVED.date + 300.0)), None), RECEIVED);
        let second = first.after(&update(None, None), RECEIVED);
        assert_eq!(second.quota(after_seconds(1)), Some(7));
        let third = second.after(&update(Some((0, RECEIVED.date + 300.0)), None), RECEIVED);
        assert_eq!(third.quota(after_seconds(1)), Some(0), "a quota of zero is a quota");
    }

    #[test]
    fn past_and_absurd_dates_are_bounded() {
        for (date, valid_seconds) in [
            (RECEIVED.date - 1.0, 0),
            (RECEIVED.date + 86_400.0, 3_600),
            (f64::MIN, 0),
            (f64::NAN, 0),
            (f64::MAX, 3_600),
            (f64::INFINITY, 3_600),
        ] {
            let target = Target::new(0.1).after(&update(Some((7, date)), None), RECEIVED);
            assert_eq!(target.quota(after_seconds(valid_seconds)), None, "{date}");
            if valid_seconds > 0 {
                assert_eq!(target.quota(after_seconds(valid_seconds - 1)), Some(7), "{date}");
            }
        }
    }

    #[test]
    fn an_updated_rate_replaces_the_rules_own() {
        let changed = TargetUpdate { fixed_rate: Some(0.5), ..TargetUpdate::default() };
        let target = Target::new(0.1).after(&changed, RECEIVED);
        assert!((target.rate(RECEIVED.now) - 0.5).abs() < f64::EPSILON);
        let target = target.after(&TargetUpdate::default(), RECEIVED);
        assert!((target.rate(RECEIVED.now) - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn a_boost_raises_the_rate_until_its_date_and_never_lowers_it() {
        let rate = |fixed_rate, boost, seconds| {
            let target =
                Target::new(fixed_rate).after(&update(None, Some((boost, RECEIVED.date + 60.0))), RECEIVED);
            target.rate(after_seconds(seconds))
        };
        assert!((rate(0.1, 0.8, 59) - 0.8).abs() < f64::EPSILON);
        assert!((rate(0.1, 0.8, 60) - 0.1).abs() < f64::EPSILON);
        assert!((rate(0.9, 0.8, 59) - 0.9).abs() < f64::EPSILON);
    }
}
