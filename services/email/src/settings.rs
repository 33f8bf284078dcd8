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
    /// `EMAIL_DELIVERIES_TABLE_NAME`.
    pub(crate) table: String,
    /// `EMAIL_SENDER`: the address mails come from, verified in SES.
    pub(crate) sender: String,
    /// How long sending may take.
    pub(crate) times: Times,
    /// `CONSUMER_*`.
    pub(crate) consumer: sqs_consumer::Settings,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// How long a notification stays claimed by a process that has died. `CLAIM_LEASE_S`, 20: below the
    /// default visibility timeout, so that the message, when it comes back, finds the claim free.
    pub(crate) lease: Duration,
    /// When a call of SES is given up. `SEND_TIMEOUT_MS`, 5,000.
    pub(crate) send_timeout: Duration,
}

impl Settings {
    /// Reads all of them.
    ///
    /// # Errors
    /// [`SettingsError`] names every one that is missing or wrong.
    pub(crate) fn read(environment: &Environment, grace: Duration) -> Result<Self, SettingsError> {
        let mut settings = environment.settings();
        let times = Times {
            lease: settings.duration_s("CLAIM_LEASE_S", Duration::from_secs(20)),
            send_timeout: settings.duration_ms("SEND_TIMEOUT_MS", Duration::from_secs(5)),
        };
        if times.send_timeout.is_zero() {
            settings.wrong("SEND_TIMEOUT_MS", "expected at least 1");
        }
        if times.lease < times.send_timeout * 2 {
            // A claim that ends while its owner is still sending is no claim.
            settings.wrong("CLAIM_LEASE_S", "expected at least twice SEND_TIMEOUT_MS");
        }
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
            table: settings.required("EMAIL_DELIVERIES_TABLE_NAME"),
            sender: settings.required("EMAIL_SENDER"),
            times,
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

    const GRACE: Duration = Duration::from_secs(25);
    const REQUIRED: [(&str, &str); 4] = [
        ("QUEUE_URL", "http://127.0.0.1:4566/000000000000/email"),
        ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1:4566/000000000000/email-dead-letter"),
        ("EMAIL_DELIVERIES_TABLE_NAME", "email-deliveries"),
        ("EMAIL_SENDER", "FooStore <loyalty@foostore.example>"),
    ];

    fn read(more: &[(&'static str, &'static str)]) -> Result<Settings, SettingsError> {
        Settings::read(&Environment::from_pairs(REQUIRED.iter().chain(more).copied()), GRACE)
    }

    #[test]
    fn the_defaults_let_a_claim_outlast_a_call_and_end_before_the_message_comes_back() {
        let settings = read(&[]).unwrap();
        assert!(settings.times.lease >= settings.times.send_timeout * 2);
        assert!(settings.times.lease < settings.consumer.visibility);
        assert_eq!(settings.table, "email-deliveries");
    }

    #[test]
    fn every_wrong_setting_is_named() {
        let environment = Environment::from_pairs([
            ("SEND_TIMEOUT_MS", "11000"),
            ("CONSUMER_CONCURRENCY", "many"),
            ("QUEUE_URL", "http://127.0.0.1:4566/000000000000/email"),
        ]);
        let error = Settings::read(&environment, GRACE).unwrap_err();
        let mut names: Vec<&str> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "CLAIM_LEASE_S",
                "CONSUMER_CONCURRENCY",
                "DEAD_LETTER_QUEUE_URL",
                "EMAIL_DELIVERIES_TABLE_NAME",
                "EMAIL_SENDER"
            ]
        );
        assert!(read(&[("SEND_TIMEOUT_MS", "0")]).is_err());
    }
}
