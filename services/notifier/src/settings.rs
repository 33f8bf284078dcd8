//! The service's settings.

use std::time::Duration;

use service_runtime::{Environment, SettingsError};
use sqs_consumer::QueueSettings;

/// The service's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `NOTIFICATIONS_TABLE_NAME`.
    pub(crate) table: String,
    /// `NOTIFICATIONS_TOPIC_ARN`.
    pub(crate) topic_arn: String,
    /// `CONTACT_GRACE_S`.
    pub(crate) contact_grace: Duration,
    /// `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `CONSUMER_*`.
    pub(crate) queue: QueueSettings,
}

impl Settings {
    /// Reads them from the environment.
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
            table: settings.required("NOTIFICATIONS_TABLE_NAME"),
            topic_arn: settings.required("NOTIFICATIONS_TOPIC_ARN"),
            contact_grace: settings.duration_s("CONTACT_GRACE_S", Duration::from_mins(15)),
            queue: QueueSettings::read(service, grace, &mut settings),
        };
        settings.finish()?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_setting_is_named() {
        let environment = Environment::from_pairs([("CONSUMER_WAIT_S", "21"), ("QUEUE_URL", "http://q")]);
        let error = Settings::read(crate::NAME, &environment, Duration::from_secs(25)).unwrap_err();
        let names: Vec<&str> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "NOTIFICATIONS_TABLE_NAME",
                "NOTIFICATIONS_TOPIC_ARN",
                "DEAD_LETTER_QUEUE_URL",
                "CONSUMER_WAIT_S"
            ]
        );
    }
}
