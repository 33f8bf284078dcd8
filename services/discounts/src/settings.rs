//! The service's settings.

use std::time::Duration;

use handlers::Announcing;
use service_runtime::{Environment, SettingsError};
use sqs_consumer::QueueSettings;
use sweeper::SweeperSettings;

/// The service's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `DISCOUNTS_TABLE_NAME`.
    pub(crate) table: String,
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
            table: settings.required("DISCOUNTS_TABLE_NAME"),
            announcing: settings.parse(Announcing::VARIABLE, Announcing::Separately),
            queue: QueueSettings::read(service, grace, &mut settings),
            sweeper: SweeperSettings::read(service, &mut settings),
        };
        settings.finish()?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_or_wrong_is_named() {
        let environment =
            Environment::from_pairs([("QUEUE_URL", "http://queue"), ("SWEEPER_LAG_MS", "short")]);
        let error = Settings::read(crate::NAME, &environment, Duration::from_secs(25)).unwrap_err();
        let names: Vec<_> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(names, ["DISCOUNTS_TABLE_NAME", "DEAD_LETTER_QUEUE_URL", "SWEEPER_LAG_MS"]);
    }
}
