//! The service's settings.

use std::time::Duration;

use publisher::PublisherSettings;
use service_runtime::{Environment, SettingsError};
use sqs_consumer::QueueSettings;

/// How long a notification waits to be published together with others, in milliseconds.
pub(crate) const PUBLISH_LINGER: &str = "PUBLISH_LINGER_MS";

/// The service's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `NOTIFICATIONS_TABLE_NAME`.
    pub(crate) table: String,
    /// `NOTIFICATIONS_TOPIC_ARN`.
    pub(crate) topic_arn: String,
    /// `CONTACT_GRACE_S`.
    pub(crate) contact_grace: Duration,
    /// `PUBLISH_LINGER_MS`.
    pub(crate) publisher: PublisherSettings,
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
            publisher: publisher_settings(&mut settings),
            queue: QueueSettings::read(service, grace, &mut settings),
        };
        settings.finish()?;
        Ok(read)
    }
}

fn publisher_settings(settings: &mut service_runtime::Settings<'_>) -> PublisherSettings {
    let default = PublisherSettings::default();
    let linger = settings.duration_ms(PUBLISH_LINGER, default.linger);
    let longest = PublisherSettings::LONGEST_LINGER;
    if linger > longest {
        settings.wrong(PUBLISH_LINGER, format!("expected at most {}", longest.as_millis()));
    }
    PublisherSettings { linger, ..default }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_setting_is_named() {
        let environment = Environment::from_pairs([
            ("CONSUMER_WAIT_S", "21"),
            ("PUBLISH_LINGER_MS", "1001"),
            ("QUEUE_URL", "http://q"),
        ]);
        let error = Settings::read(crate::NAME, &environment, Duration::from_secs(25)).unwrap_err();
        let names: Vec<&str> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "NOTIFICATIONS_TABLE_NAME",
                "NOTIFICATIONS_TOPIC_ARN",
                "PUBLISH_LINGER_MS",
                "DEAD_LETTER_QUEUE_URL",
                "CONSUMER_WAIT_S"
            ]
        );
    }
}
