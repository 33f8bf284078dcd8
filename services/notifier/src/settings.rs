//! What the service is told by its environment.

use std::time::Duration;

use service_runtime::{Environment, SettingsError};

/// What the service is told by its environment.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `QUEUE_URL`.
    pub(crate) queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`.
    pub(crate) dead_letter_queue_url: String,
    /// `NOTIFICATIONS_TABLE_NAME`.
    pub(crate) table: String,
    /// `NOTIFICATIONS_TOPIC_ARN`.
    pub(crate) topic_arn: String,
    /// `CONSUMER_*`.
    pub(crate) consumer: sqs_consumer::Settings,
}

impl Settings {
    /// Reads all of them.
    ///
    /// # Errors
    /// [`SettingsError`] names every one that is missing or wrong.
    pub(crate) fn read(environment: &Environment, grace: Duration) -> Result<Self, SettingsError> {
        let mut settings = environment.settings();
        let consumer =
            sqs_consumer::Settings::read(crate::NAME, |name| environment.get(name).map(str::to_owned));
        match &consumer {
            Ok(_) => {}
            Err(sqs_consumer::SettingsError::NotANumber { name }) => {
                settings.wrong(*name, "expected a whole number");
            }
            Err(sqs_consumer::SettingsError::Conflict { name, rule }) => {
                settings.wrong(*name, format!("must be {rule}"));
            }
        }
        let read = Self {
            queue_url: settings.required("QUEUE_URL"),
            dead_letter_queue_url: settings.required("DEAD_LETTER_QUEUE_URL"),
            table: settings.required("NOTIFICATIONS_TABLE_NAME"),
            topic_arn: settings.required("NOTIFICATIONS_TOPIC_ARN"),
            consumer: consumer
                .unwrap_or_else(|_| sqs_consumer::Settings::new(crate::NAME))
                .within_grace(grace),
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
        let error = Settings::read(&environment, Duration::from_secs(25)).unwrap_err();
        let names: Vec<&str> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "CONSUMER_WAIT_S",
                "DEAD_LETTER_QUEUE_URL",
                "NOTIFICATIONS_TABLE_NAME",
                "NOTIFICATIONS_TOPIC_ARN"
            ]
        );
    }
}
