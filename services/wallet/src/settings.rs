//! The service's settings.

use std::net::SocketAddr;
use std::time::Duration;

use service_runtime::{Environment, SettingsError};
use sqs_consumer::QueueSettings;

use crate::domain::pass::Issuer;
use crate::endpoint::Endpoint;
use crate::identity::Identity;
use crate::tokens::Tokens;
use crate::updates::Limits;

/// The environment on a developer's machine, where nothing need be encrypted.
const LOCAL: &str = "local";

/// The service's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `LISTEN_ADDRESS`: where phones' requests come in.
    pub(crate) listen_address: SocketAddr,
    /// `WALLET_PASSES_BUCKET_NAME`.
    pub(crate) bucket: String,
    /// `WALLET_REGISTRATIONS_TABLE_NAME`.
    pub(crate) table: String,
    /// `PASS_TYPE`, `PASS_TEAM`, `PASS_ORGANIZATION` and `PASS_WEB_SERVICE_URL`: who issues passes, and where phones ask for
    /// changes. Without the last, in the environment `local`, that is where the service listens.
    pub(crate) issuer: Issuer,
    /// `PASS_IDENTITY`: what passes are signed with.
    pub(crate) identity: Identity,
    /// `PASS_TOKEN_SECRET`: what phones' tokens are derived from.
    pub(crate) tokens: Tokens,
    /// `APNS_URL`: where pushes go, and `PUSH_TIMEOUT_MS`, 10,000: when one is abandoned.
    pub(crate) endpoint: Endpoint,
    pub(crate) push_timeout: Duration,
    /// `MAX_CONCURRENT_REQUESTS`, 128, and `REQUEST_TIMEOUT_MS`, 10,000.
    pub(crate) limits: Limits,
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
        let local = deployment_environment == LOCAL;
        let mut settings = environment.settings();
        let listen_address = settings.parse("LISTEN_ADDRESS", SocketAddr::from(([127, 0, 0, 1], 8080)));
        let limits = Limits {
            concurrent_requests: settings.parse("MAX_CONCURRENT_REQUESTS", 128),
            request_timeout: settings.duration_ms("REQUEST_TIMEOUT_MS", Duration::from_secs(10)),
        };
        let push_timeout = settings.duration_ms("PUSH_TIMEOUT_MS", Duration::from_secs(10));
        for (name, zero) in [
            ("MAX_CONCURRENT_REQUESTS", limits.concurrent_requests == 0),
            ("REQUEST_TIMEOUT_MS", limits.request_timeout.is_zero()),
            ("PUSH_TIMEOUT_MS", push_timeout.is_zero()),
        ] {
            if zero {
                settings.wrong(name, "expected at least 1");
            }
        }
        let issuer = issuer(&mut settings, local);
        let bucket = settings.required("WALLET_PASSES_BUCKET_NAME");
        let table = settings.required("WALLET_REGISTRATIONS_TABLE_NAME");
        let identity = required(&mut settings, "PASS_IDENTITY", Identity::read);
        let tokens = required(&mut settings, "PASS_TOKEN_SECRET", str::parse::<Tokens>);
        let endpoint = required(&mut settings, "APNS_URL", |url| Endpoint::read(url, local));
        let queue = QueueSettings::read(service, grace, &mut settings);
        settings.finish()?;
        let (Some(identity), Some(tokens), Some(endpoint)) = (identity, tokens, endpoint) else {
            // Reported above already.
            return Err(SettingsError::one("PASS_IDENTITY", "cannot be read"));
        };
        Ok(Self {
            listen_address,
            bucket,
            table,
            issuer,
            identity,
            tokens,
            endpoint,
            push_timeout,
            limits,
            queue,
        })
    }
}

fn issuer(settings: &mut service_runtime::Settings<'_>, local: bool) -> Issuer {
    let web_service_url = match settings.optional("PASS_WEB_SERVICE_URL") {
        Some(url) => url,
        None if local => String::new(),
        None => settings.required("PASS_WEB_SERVICE_URL"),
    };
    if !web_service_url.is_empty() && !web_service_url.starts_with("https://") {
        settings.wrong("PASS_WEB_SERVICE_URL", "expected https, without which phones do not ask for changes");
    }
    Issuer {
        pass_type: settings.required("PASS_TYPE"),
        team: settings.required("PASS_TEAM"),
        organization: settings.required("PASS_ORGANIZATION"),
        web_service_url,
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
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const REQUIRED: [(&str, &str); 11] = [
        ("QUEUE_URL", "http://127.0.0.1:4566/000000000000/wallet"),
        ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1:4566/000000000000/wallet-dead-letter"),
        ("WALLET_PASSES_BUCKET_NAME", "wallet-passes"),
        ("WALLET_REGISTRATIONS_TABLE_NAME", "wallet-registrations"),
        ("PASS_TYPE", "pass.com.example.loyalty"),
        ("PASS_TEAM", "A1B2C3D4E5"),
        ("PASS_ORGANIZATION", "FooStore"),
        ("PASS_WEB_SERVICE_URL", "https://wallet.example.com"),
        ("PASS_IDENTITY", service_test::PASS_IDENTITY),
        ("PASS_TOKEN_SECRET", SECRET),
        ("APNS_URL", "https://api.push.apple.com"),
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
    fn every_wrong_setting_is_named_and_no_secret_is_shown() {
        let error = Settings::read(
            crate::NAME,
            &Environment::from_pairs([("REQUEST_TIMEOUT_MS", "0")]),
            "prod",
            GRACE,
        )
        .unwrap_err();
        let mut expected: Vec<_> =
            REQUIRED.iter().map(|(name, _)| *name).chain(["REQUEST_TIMEOUT_MS"]).collect();
        expected.sort_unstable();
        assert_eq!(wrong(&error), expected);
        for (name, value) in [("PASS_TOKEN_SECRET", "too-short"), ("PASS_IDENTITY", "no certificate")] {
            let error = read("prod", &[(name, value)]).unwrap_err();
            assert_eq!(wrong(&error), [name]);
            assert!(!error.to_string().contains(value), "{error}");
        }
        let shown = format!("{:?}", read("prod", &[]).unwrap());
        assert!(!shown.contains(SECRET) && !shown.contains("PRIVATE KEY"), "{shown}");
    }

    #[test]
    fn plain_http_is_for_a_laptop() {
        let local = ("APNS_URL", "http://127.0.0.1:4566/_local/apns");
        assert!(read("local", &[local]).is_ok());
        assert_eq!(wrong(&read("prod", &[local]).unwrap_err()), ["APNS_URL"]);
        let plain = ("PASS_WEB_SERVICE_URL", "http://127.0.0.1:8080");
        assert_eq!(wrong(&read("local", &[plain]).unwrap_err()), ["PASS_WEB_SERVICE_URL"]);
    }
}
