//! The settings every service has.

use std::net::SocketAddr;
use std::time::Duration;

use aws_clients::AwsSettings;
use telemetry::hop::HopLines;
use telemetry::{LogFormat, OtelSettings};

use crate::environment::{Environment, Settings, SettingsError};

/// Shorter than the 30 s that ECS gives between SIGTERM and SIGKILL by default
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html>), so that telemetry
/// still goes out.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(25);

/// The length of an abbreviated commit id.
const SHORT_REVISION: usize = 12;

/// What the runtime needs before it can start the service.
#[derive(Debug)]
pub(crate) struct Boot {
    pub(crate) service: &'static str,
    pub(crate) version: &'static str,
    pub(crate) application: String,
    pub(crate) deployment_environment: String,
    pub(crate) health_address: SocketAddr,
    pub(crate) grace: Duration,
    pub(crate) telemetry: telemetry::Settings,
    pub(crate) aws: AwsSettings,
}

impl Boot {
    pub(crate) fn read(
        application: &str,
        service: &'static str,
        version: &'static str,
        environment: &Environment,
    ) -> Result<Self, SettingsError> {
        let lookup = |name: &str| environment.get(name).map(str::to_owned);
        let mut settings = environment.settings();
        let application = settings.parse("APPLICATION", application.to_owned());
        let deployment_environment = settings.parse("ENVIRONMENT", "local".to_owned());
        let health_address = health_address(&mut settings);
        let grace = settings.duration_s("SHUTDOWN_GRACE_S", SHUTDOWN_GRACE);
        let logs = settings.parse("LOG_FORMAT", LogFormat::Json);
        let hop_lines = settings.parse("HOP_LINES", HopLines::All);
        let log_filter = settings.parse("RUST_LOG", "info".to_owned());
        if let Err(error) = telemetry::Settings::check_log_filter(&log_filter) {
            settings.wrong("RUST_LOG", error.to_string());
        }
        let otel = OtelSettings::read(lookup).unwrap_or_else(|problems| {
            for problem in problems {
                settings.wrong(problem.variable, problem.problem);
            }
            OtelSettings::default()
        });
        settings.finish()?;
        let revision = lookup("REVISION");
        let telemetry = telemetry::Settings {
            application: application.clone(),
            environment: deployment_environment.clone(),
            service_name: service.to_owned(),
            service_version: build(version, revision.as_deref()),
            revision,
            logs,
            hop_lines,
            log_filter,
            otel,
        };
        let aws = AwsSettings::read(lookup);
        Ok(Self {
            service,
            version,
            application,
            deployment_environment,
            health_address,
            grace,
            telemetry,
            aws,
        })
    }
}

/// Where the health routes are served: `HEALTH_ADDRESS`.
pub(crate) fn health_address(settings: &mut Settings<'_>) -> SocketAddr {
    settings.parse("HEALTH_ADDRESS", SocketAddr::from(([127, 0, 0, 1], 8081)))
}

/// Joins version and commit as build metadata (<https://semver.org/#spec-item-10>): a version alone does not
/// distinguish two builds, and X-Ray shows it with a segment's service.
fn build(version: &str, revision: Option<&str>) -> String {
    match revision {
        Some(revision) => {
            let short: String = revision.chars().take(SHORT_REVISION).collect();
            format!("{version}+{short}")
        }
        None => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_setting_is_named() {
        let environment = Environment::from_pairs([
            ("HEALTH_ADDRESS", "nowhere"),
            ("SHUTDOWN_GRACE_S", "long"),
            ("LOG_FORMAT", "xml"),
            ("HOP_LINES", "few"),
            ("RUST_LOG", "info,=="),
            ("OTEL_TRACES_SAMPLER", "dice"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector"),
        ]);
        let error = Boot::read("shop", "shipping", "1.0.0", &environment).unwrap_err();
        let mut names: Vec<_> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "HEALTH_ADDRESS",
                "HOP_LINES",
                "LOG_FORMAT",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "OTEL_TRACES_SAMPLER",
                "RUST_LOG",
                "SHUTDOWN_GRACE_S"
            ]
        );
    }

    #[test]
    fn the_commit_tells_two_builds_of_a_version_apart() {
        let commit = "4f2a9b1c0d3e5f60718293a4b5c6d7e8f9012345";
        let environment = Environment::from_pairs([("REVISION", commit)]);
        let telemetry = Boot::read("shop", "shipping", "1.0.0", &environment).unwrap().telemetry;
        assert_eq!(telemetry.service_version, "1.0.0+4f2a9b1c0d3e");
        assert_eq!(telemetry.revision.as_deref(), Some(commit));
    }

    #[test]
    fn nothing_is_required() {
        let boot = Boot::read("shop", "shipping", "1.0.0", &Environment::default()).unwrap();
        assert_eq!(boot.application, "shop");
        assert_eq!(boot.deployment_environment, "local");
        assert_eq!(boot.health_address, SocketAddr::from(([127, 0, 0, 1], 8081)));
        assert_eq!(boot.grace, SHUTDOWN_GRACE);
        assert_eq!(boot.telemetry.logs, LogFormat::Json);
        assert_eq!(boot.telemetry.hop_lines, HopLines::All);
        assert_eq!(boot.telemetry.service_version, "1.0.0");
    }
}
