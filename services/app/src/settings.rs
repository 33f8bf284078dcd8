//! The service's settings.

use std::time::Duration;

use handlers::Lease;
use service_runtime::{Environment, SettingsError};
use sqs_consumer::QueueSettings;
use webhook_signature::Secrets;

use crate::target::Target;

/// The environment on a developer's machine, where a webhook may be without TLS.
const LOCAL: &str = "local";

/// The service's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `APP_DELIVERIES_TABLE_NAME`.
    pub(crate) table: String,
    /// `WEBHOOK_URL`: where notifications are pushed to. `WEBHOOK_ALLOW_PRIVATE`, `false`: whether it may be inside this
    /// network, and at another port than that of HTTPS.
    pub(crate) target: Target,
    /// `WEBHOOK_SECRET`: what requests are signed with.
    pub(crate) secrets: Secrets,
    /// How long a notification stays claimed by a process that has died: `CLAIM_LEASE_S`, 45, above the consumer's limit for
    /// a message. And when a push is abandoned: `WEBHOOK_TIMEOUT_MS`, 15,000, the least that Standard Webhooks recommends.
    pub(crate) lease: Lease,
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
        deployment_environment: &str,
        grace: Duration,
    ) -> Result<Self, SettingsError> {
        let mut settings = environment.settings();
        let lease = Lease {
            duration: settings.duration_s("CLAIM_LEASE_S", Duration::from_secs(45)),
            effect: settings.duration_ms("WEBHOOK_TIMEOUT_MS", Duration::from_secs(15)),
        };
        if lease.effect.is_zero() {
            settings.wrong("WEBHOOK_TIMEOUT_MS", "expected at least 1");
        }
        if lease.duration < lease.effect * 2 {
            // A claim that ends while its owner is still pushing protects nothing.
            settings.wrong("CLAIM_LEASE_S", "expected at least twice WEBHOOK_TIMEOUT_MS");
        }
        let private = settings.parse("WEBHOOK_ALLOW_PRIVATE", false);
        let target = required(&mut settings, "WEBHOOK_URL", |url| {
            Target::read(url, private, deployment_environment == LOCAL)
        });
        let secrets = required(&mut settings, "WEBHOOK_SECRET", str::parse::<Secrets>);
        let table = settings.required("APP_DELIVERIES_TABLE_NAME");
        let queue = QueueSettings::read(service, grace, &mut settings);
        settings.finish()?;
        match (target, secrets) {
            (Some(target), Some(secrets)) => Ok(Self { table, target, secrets, lease, queue }),
            // Reported above already.
            _ => Err(SettingsError::one("WEBHOOK_URL", "cannot be read")),
        }
    }
}

/// Returns the value of a required setting, or `None` after reporting what is wrong with it.
fn required<T, E: std::error::Error>(
    settings: &mut service_runtime::Settings<'_>,
    name: &'static str,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let text = settings.required(name);
    if text.is_empty() {
        return None;
    }
    read(&text).map_err(|error| settings.wrong(name, error.to_string())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(25);
    const REQUIRED: [(&str, &str); 5] = [
        ("QUEUE_URL", "http://127.0.0.1:4566/000000000000/app"),
        ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1:4566/000000000000/app-dead-letter"),
        ("APP_DELIVERIES_TABLE_NAME", "app-deliveries"),
        ("WEBHOOK_URL", "https://app.example.com/notifications"),
        ("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ];

    fn read(environment: &str, more: &[(&'static str, &'static str)]) -> Result<Settings, SettingsError> {
        let pairs = REQUIRED.iter().chain(more).copied();
        Settings::read(crate::NAME, &Environment::from_pairs(pairs), environment, GRACE)
    }

    fn wrong(error: &SettingsError) -> Vec<&str> {
        let mut names: Vec<&str> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_defaults_let_a_claim_outlast_whatever_is_done_under_it() {
        let limit = crate::HANDLES_WITHIN.as_secs().to_string();
        let pairs = REQUIRED.iter().copied().chain([("CONSUMER_MAX_PROCESSING_S", limit.as_str())]);
        let settings = Settings::read(crate::NAME, &Environment::from_pairs(pairs), "prod", GRACE).unwrap();
        // Claiming, reading, pushing, recording, each with all of its attempts.
        let call = aws_clients::dynamodb_limits::CALL_TIMEOUT;
        let all = call + call + settings.lease.effect + idempotency::Retry::default().within + call;
        assert!(all < settings.queue.consumer.max_processing, "{all:?}");
        assert!(settings.queue.consumer.max_processing < settings.lease.duration);
        assert!(settings.lease.effect * 2 <= settings.lease.duration);
    }

    #[test]
    fn every_wrong_setting_is_named_and_no_secret_is_shown() {
        let environment =
            Environment::from_pairs([("WEBHOOK_TIMEOUT_MS", "60000"), ("WEBHOOK_ALLOW_PRIVATE", "maybe")]);
        let error = Settings::read(crate::NAME, &environment, "prod", GRACE).unwrap_err();
        assert_eq!(
            wrong(&error),
            [
                "APP_DELIVERIES_TABLE_NAME",
                "CLAIM_LEASE_S",
                "DEAD_LETTER_QUEUE_URL",
                "QUEUE_URL",
                "WEBHOOK_ALLOW_PRIVATE",
                "WEBHOOK_SECRET",
                "WEBHOOK_URL"
            ]
        );
        for (name, value) in
            [("WEBHOOK_SECRET", "whsec_c2hvcnQ="), ("WEBHOOK_URL", "http://hidden.example/x")]
        {
            let error = read("prod", &[(name, value)]).unwrap_err();
            assert_eq!(wrong(&error), [name]);
            assert!(!error.to_string().contains(value), "{error}");
        }
        assert!(read("prod", &[("WEBHOOK_TIMEOUT_MS", "0")]).is_err());
        let shown = format!("{:?}", read("prod", &[]).unwrap());
        assert!(!shown.contains("MfKQ") && !shown.contains("/notifications"), "{shown}");
    }

    #[test]
    fn plain_http_is_for_a_laptop_and_private_addresses_for_whoever_asks() {
        let local = ("WEBHOOK_URL", "http://127.0.0.1:4566/_local/webhook");
        let allowed = ("WEBHOOK_ALLOW_PRIVATE", "true");
        assert!(read("local", &[local, allowed]).is_ok());
        assert!(read("local", &[local]).is_err());
        assert!(read("prod", &[local, allowed]).is_err());
    }
}
