//! The service's settings.

use std::time::Duration;

use service_runtime::{Environment, SettingsError};
use sqs_consumer::SettingsError as ConsumerSettingsError;

/// The service's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `MEMBERS_TABLE_NAME`.
    pub(crate) table: String,
    /// `QUEUE_URL`.
    pub(crate) queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`.
    pub(crate) dead_letter_queue_url: String,
    /// `CONSUMER_*`.
    pub(crate) consumer: sqs_consumer::Settings,
}

impl Settings {
    /// Reads them from the environment; `grace` is how long the service has to end.
    ///
    /// # Errors
    /// [`SettingsError`] names every setting that is missing or wrong.
    pub(crate) fn read(environment: &Environment, grace: Duration) -> Result<Self, SettingsError> {
        let mut settings = environment.settings();
        let table = settings.required("MEMBERS_TABLE_NAME");
        let queue_url = settings.required("QUEUE_URL");
        let dead_letter_queue_url = settings.required("DEAD_LETTER_QUEUE_URL");
        let lookup = |name: &str| environment.get(name).map(str::to_owned);
        let consumer = sqs_consumer::Settings::read(crate::NAME, lookup).unwrap_or_else(|error| {
            match error {
                ConsumerSettingsError::NotANumber { name } => settings.wrong(name, "expected a whole number"),
                ConsumerSettingsError::Conflict { name, rule } => {
                    settings.wrong(name, format!("must be {rule}"));
                }
            }
            sqs_consumer::Settings::new(crate::NAME)
        });
        settings.finish()?;
        Ok(Self { table, queue_url, dead_letter_queue_url, consumer: consumer.within_grace(grace) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(25);

    #[test]
    fn all_that_is_missing_or_wrong_is_named() {
        let environment =
            Environment::from_pairs([("QUEUE_URL", "http://queue"), ("CONSUMER_WAIT_S", "long")]);
        let error = Settings::read(&environment, GRACE).unwrap_err();
        let names: Vec<_> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(names, ["MEMBERS_TABLE_NAME", "DEAD_LETTER_QUEUE_URL", "CONSUMER_WAIT_S"]);
    }

    #[test]
    fn the_consumer_drains_within_the_grace_period() {
        let environment = Environment::from_pairs([
            ("MEMBERS_TABLE_NAME", "members"),
            ("QUEUE_URL", "http://queue"),
            ("DEAD_LETTER_QUEUE_URL", "http://dead-letter-queue"),
            ("CONSUMER_CONCURRENCY", "8"),
        ]);
        let settings = Settings::read(&environment, GRACE).unwrap();
        assert_eq!(settings.consumer.concurrency, 8);
        assert!(settings.consumer.drain + settings.consumer.settle_timeout < GRACE);
    }
}
