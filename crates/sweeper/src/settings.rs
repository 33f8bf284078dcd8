//! The sweeper's settings and their defaults.

use std::time::Duration;

use handlers::Announcing;

/// The longest pause of a place after an item.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The settings of a sweeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweeperSettings {
    /// The service's name: it names segments, and distinguishes markers and ids from those of other services.
    pub service: String,
    /// How long a bucket in which nothing more is due is left alone. `SWEEPER_POLL_MS`, 1,000.
    pub poll: Duration,
    /// How long an item must have been due: longer than clocks differ and the index is behind. `SWEEPER_LAG_MS`, 1,000.
    pub lag: Duration,
    /// The most items handled at the same time. `SWEEPER_CONCURRENCY`, 1.
    pub concurrency: usize,
    /// The share of the time that each of these places works, from 1 to 100: after an item it pauses for the rest, so that
    /// other handlers hardly notice. `SWEEPER_DUTY_PERCENT`, 20.
    pub duty_percent: u32,
    /// How long a bucket stays with a task that died. `SWEEPER_LEASE_S`, 30.
    pub lease: Duration,
    /// Where announcements are written. `OUTBOX_ITEMS`, `separate` unless the deployment says that the table's Pipe takes
    /// them with the marker.
    pub announcing: Announcing,
}

impl SweeperSettings {
    /// Creates the default settings for a service.
    #[must_use]
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            poll: Duration::from_secs(1),
            lag: Duration::from_secs(1),
            concurrency: 1,
            duty_percent: 20,
            lease: Duration::from_secs(30),
            announcing: Announcing::default(),
        }
    }

    /// Returns how long a place pauses after an item that took so long.
    pub(crate) fn pause(&self, took: Duration) -> Duration {
        (took * (100 - self.duty_percent.min(100)) / self.duty_percent.max(1)).min(LONGEST_PAUSE)
    }

    /// Reads the settings of a service. Wrong ones are recorded in `settings`.
    #[must_use]
    pub fn read(service: &str, settings: &mut service_runtime::Settings<'_>) -> Self {
        let default = Self::new(service);
        let read = Self {
            poll: settings.duration_ms("SWEEPER_POLL_MS", default.poll),
            lag: settings.duration_ms("SWEEPER_LAG_MS", default.lag),
            concurrency: settings.parse("SWEEPER_CONCURRENCY", default.concurrency),
            duty_percent: settings.parse("SWEEPER_DUTY_PERCENT", default.duty_percent),
            lease: settings.duration_s("SWEEPER_LEASE_S", default.lease),
            announcing: settings.parse(Announcing::VARIABLE, Announcing::Separately),
            ..default
        };
        for (name, wrong, rule) in [
            ("SWEEPER_POLL_MS", read.poll.is_zero(), "must be above 0"),
            ("SWEEPER_CONCURRENCY", read.concurrency == 0, "must be above 0"),
            ("SWEEPER_DUTY_PERCENT", !(1..=100).contains(&read.duty_percent), "must be from 1 to 100"),
            ("SWEEPER_LEASE_S", read.lease.is_zero(), "must be above 0"),
        ] {
            if wrong {
                settings.wrong(name, rule);
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use service_runtime::Environment;

    use super::*;

    #[test]
    fn settings_are_read_and_wrong_ones_named() {
        let environment = Environment::from_pairs([("SWEEPER_LAG_MS", "250"), ("SWEEPER_LEASE_S", "5")]);
        let mut settings = environment.settings();
        let read = SweeperSettings::read("discounts", &mut settings);
        settings.finish().unwrap();
        let expected = SweeperSettings {
            lag: Duration::from_millis(250),
            lease: Duration::from_secs(5),
            announcing: Announcing::Separately,
            ..SweeperSettings::new("discounts")
        };
        assert_eq!(read, expected);

        assert_eq!(read.pause(Duration::from_millis(10)), Duration::from_millis(40));
        let never = SweeperSettings { duty_percent: 100, ..read };
        assert_eq!(never.pause(Duration::from_millis(10)), Duration::ZERO);

        let environment = Environment::from_pairs([
            ("SWEEPER_POLL_MS", "0"),
            ("SWEEPER_CONCURRENCY", "x"),
            ("SWEEPER_DUTY_PERCENT", "101"),
        ]);
        let mut settings = environment.settings();
        drop(SweeperSettings::read("discounts", &mut settings));
        let error = settings.finish().unwrap_err();
        let names: Vec<_> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(names, ["SWEEPER_CONCURRENCY", "SWEEPER_POLL_MS", "SWEEPER_DUTY_PERCENT"]);
    }
}
