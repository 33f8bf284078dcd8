//! The service's settings.

use std::time::Duration;

use handlers::Announcing;
use service_runtime::{Environment, SettingsError};
use sqs_consumer::QueueSettings;
use sweeper::SweeperSettings;

/// The service's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `REWARDS_TABLE_NAME`.
    pub(crate) table: String,
    /// `REDEMPTION_GRACE_S`: how long a redemption waits for points that are still under way.
    pub(crate) grace: Duration,
    /// `OUTBOX_ITEMS`: whether the first announcement of an event is a part of its marker (`with-marker`), or each is an item
    /// of its own (`separate`, also if the variable is absent).
    pub(crate) announcing: Announcing,
    /// `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `CONSUMER_*`.
    pub(crate) queue: QueueSettings,
    /// `SWEEPER_*`.
    pub(crate) sweeper: SweeperSettings,
}

impl Settings {
    /// Reads them from the environment. `grace` is the time the service has for shutting down.
    ///
    /// # Errors
    /// [`SettingsError`] names every setting that is missing or wrong.
    pub(crate) fn read(
        service: &'static str,
        environment: &Environment,
        grace: Duration,
    ) -> Result<Self, SettingsError> {
        let mut settings = environment.settings();
        let read = Self {
            table: settings.required("REWARDS_TABLE_NAME"),
            grace: settings.duration_s("REDEMPTION_GRACE_S", Duration::from_mins(15)),
            announcing: settings.parse(Announcing::VARIABLE, Announcing::Separately),
            queue: QueueSettings::read(service, grace, &mut settings),
            sweeper: SweeperSettings::read(service, &mut settings),
        };
        // The consumer would dead-letter the redemption before, and the CRM would not hear of it.
        if read.grace * 2 > read.queue.consumer.give_up_after {
            settings.wrong("REDEMPTION_GRACE_S", "expected at most half of CONSUMER_GIVE_UP_AFTER_S");
        }
        settings.finish()?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(25);
    const REQUIRED: [(&str, &str); 3] = [
        ("REWARDS_TABLE_NAME", "rewards"),
        ("QUEUE_URL", "http://queue"),
        ("DEAD_LETTER_QUEUE_URL", "http://dead-letter-queue"),
    ];

    fn read(more: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let pairs = REQUIRED.iter().chain(more).copied();
        Settings::read(crate::NAME, &Environment::from_pairs(pairs), GRACE)
    }

    #[test]
    fn a_redemption_waits_a_quarter_of_an_hour() {
        assert_eq!(read(&[]).unwrap().grace, Duration::from_mins(15));
        assert_eq!(read(&[("REDEMPTION_GRACE_S", "0")]).unwrap().grace, Duration::ZERO);
    }

    #[test]
    fn all_that_is_missing_or_wrong_is_named() {
        let environment = Environment::from_pairs([("QUEUE_URL", "http://queue")]);
        let error = Settings::read(crate::NAME, &environment, GRACE).unwrap_err();
        let names: Vec<_> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(names, ["REWARDS_TABLE_NAME", "DEAD_LETTER_QUEUE_URL"]);

        let error = read(&[("REDEMPTION_GRACE_S", "10801")]).unwrap_err();
        let names: Vec<_> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(names, ["REDEMPTION_GRACE_S"]);
    }
}
