//! The service's settings.

use std::time::Duration;

use handlers::{Announcing, Lease};
use service_runtime::{Environment, SettingsError};
use sqs_consumer::QueueSettings;

use crate::sender::Sender;

/// The service's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `EMAIL_DELIVERIES_TABLE_NAME`.
    pub(crate) table: String,
    /// `EMAIL_ANNOUNCEMENTS_TABLE_NAME`.
    pub(crate) announcements_table: String,
    /// `EMAIL_SENDER`: the address mails come from, verified in SES, with or without a display name. `EMAIL_SENDER_NAME`:
    /// the display name, in place of one in `EMAIL_SENDER`. As the value of a header `From`.
    pub(crate) sender: String,
    /// `EMAIL_CONFIGURATION_SET`: the configuration set with which SES publishes what becomes of mails.
    pub(crate) configuration_set: String,
    /// How long a mail stays claimed by a process that has died: `CLAIM_LEASE_S`, 28, above the consumer's limit for a
    /// message and below the visibility timeout. And when a call to SES is abandoned: `SEND_TIMEOUT_MS`, 5,000.
    pub(crate) lease: Lease,
    /// `OUTBOX_ITEMS`: whether the first announcement of an event is a part of its marker (`with-marker`), or each is an item
    /// of its own (`separate`, also if the variable is absent).
    pub(crate) announcing: Announcing,
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
        let lease = Lease {
            duration: settings.duration_s("CLAIM_LEASE_S", Duration::from_secs(28)),
            effect: settings.duration_ms("SEND_TIMEOUT_MS", Duration::from_secs(5)),
        };
        if lease.effect.is_zero() {
            settings.wrong("SEND_TIMEOUT_MS", "expected at least 1");
        }
        if lease.duration < lease.effect * 2 {
            // A claim that ends while its owner is still sending protects nothing.
            settings.wrong("CLAIM_LEASE_S", "expected at least twice SEND_TIMEOUT_MS");
        }
        let read = Self {
            table: settings.required("EMAIL_DELIVERIES_TABLE_NAME"),
            announcements_table: settings.required("EMAIL_ANNOUNCEMENTS_TABLE_NAME"),
            sender: sender(&mut settings).map(|sender| sender.header()).unwrap_or_default(),
            configuration_set: settings.required("EMAIL_CONFIGURATION_SET"),
            lease,
            announcing: settings.parse(Announcing::VARIABLE, Announcing::Separately),
            queue: QueueSettings::read(service, grace, &mut settings),
        };
        settings.finish()?;
        Ok(read)
    }
}

/// Returns the sender, or `None` after reporting what is wrong with it.
fn sender(settings: &mut service_runtime::Settings<'_>) -> Option<Sender> {
    let text = settings.required("EMAIL_SENDER");
    if text.is_empty() {
        return None;
    }
    let sender = text.parse::<Sender>();
    let sender = sender.map_err(|error| settings.wrong("EMAIL_SENDER", error.to_string())).ok()?;
    match settings.optional("EMAIL_SENDER_NAME") {
        None => Some(sender),
        Some(name) => {
            let named = sender.named(&name);
            named.map_err(|_| settings.wrong("EMAIL_SENDER_NAME", "expected a text on one line")).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(25);
    const REQUIRED: [(&str, &str); 6] = [
        ("QUEUE_URL", "http://127.0.0.1:4566/000000000000/email"),
        ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1:4566/000000000000/email-dead-letter"),
        ("EMAIL_DELIVERIES_TABLE_NAME", "email-deliveries"),
        ("EMAIL_ANNOUNCEMENTS_TABLE_NAME", "email-announcements"),
        ("EMAIL_SENDER", "FooStore <loyalty@foostore.example>"),
        ("EMAIL_CONFIGURATION_SET", "foostore-local-email"),
    ];

    fn read(more: &[(&'static str, &'static str)]) -> Result<Settings, SettingsError> {
        Settings::read(crate::NAME, &Environment::from_pairs(REQUIRED.iter().chain(more).copied()), GRACE)
    }

    #[test]
    fn the_defaults_let_a_claim_outlast_a_call_and_end_before_the_message_comes_back() {
        let settings = read(&[]).unwrap();
        assert!(settings.lease.duration >= settings.lease.effect * 2);
        assert!(settings.lease.duration < settings.queue.consumer.visibility);
        // Claiming, sending and recording, each with all of its attempts.
        let call = aws_clients::dynamodb_limits::CALL_TIMEOUT;
        let all = call + settings.lease.effect + idempotency::Retry::default().within + call;
        assert!(all < settings.queue.consumer.max_processing, "{all:?}");
        assert!(settings.queue.consumer.max_processing < settings.lease.duration);
        assert_eq!(settings.table, "email-deliveries");
    }

    #[test]
    fn a_sender_that_is_no_address_is_named_and_a_name_may_be_set_apart() {
        for (name, value) in [
            ("EMAIL_SENDER", "nobody"),
            ("EMAIL_SENDER", "FooStore <nobody>"),
            ("EMAIL_SENDER_NAME", "Foo\nBcc: x"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            let names: Vec<&str> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
            assert_eq!(names, [name]);
            assert!(!error.to_string().contains(value), "{error}");
        }
        let settings = read(&[("EMAIL_SENDER_NAME", "Foo, Inc.")]).unwrap();
        assert_eq!(settings.sender, "\"Foo, Inc.\" <loyalty@foostore.example>");
    }

    #[test]
    fn every_wrong_setting_is_named() {
        let environment = Environment::from_pairs([
            ("SEND_TIMEOUT_MS", "15000"),
            ("CONSUMER_CONCURRENCY", "many"),
            ("QUEUE_URL", "http://127.0.0.1:4566/000000000000/email"),
        ]);
        let error = Settings::read(crate::NAME, &environment, GRACE).unwrap_err();
        let mut names: Vec<&str> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "CLAIM_LEASE_S",
                "CONSUMER_CONCURRENCY",
                "DEAD_LETTER_QUEUE_URL",
                "EMAIL_ANNOUNCEMENTS_TABLE_NAME",
                "EMAIL_CONFIGURATION_SET",
                "EMAIL_DELIVERIES_TABLE_NAME",
                "EMAIL_SENDER"
            ]
        );
        assert!(read(&[("SEND_TIMEOUT_MS", "0")]).is_err());
    }
}
