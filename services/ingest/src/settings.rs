//! The service's settings.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use service_runtime::{Environment, SettingsError};

use crate::admission::Bounds;
use crate::limits::MAX_BODY_BYTES;
use crate::server::TimeLimits;
use webhook_signature::{InvalidSecrets, Secrets};

/// The environment in which requests from this machine need no signature.
const LOCAL: &str = "local";

/// What is wrong where anybody could send events.
const SECRET_REQUIRED: &str = "is required unless ENVIRONMENT is local and LISTEN_ADDRESS a loopback address; make one \
    with `openssl rand -base64 32`, or set UNSIGNED_REQUESTS=accept if something else keeps strangers out";

/// `UNSIGNED_REQUESTS`: what becomes of requests where there is no secret and not only this machine can send them.
#[derive(Debug, Clone, Copy)]
enum Unsigned {
    Refuse,
    Accept,
}

impl FromStr for Unsigned {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "accept" => Ok(Self::Accept),
            _ => Err("must be refuse or accept"),
        }
    }
}

/// The service's settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `LISTEN_ADDRESS`: where to listen for requests.
    pub(crate) listen_address: SocketAddr,
    /// `EVENT_BUS_NAME`: the bus that events go to.
    pub(crate) event_bus_name: String,
    /// `SIGNATURE_SECRET`: what requests are signed with. Absent where unsigned ones are taken.
    pub(crate) secrets: Option<Secrets>,
    pub(crate) limits: Limits,
}

/// Limits on the number and duration of requests.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// `MAX_CONCURRENT_REQUESTS`: requests with events in flight; further ones are refused with 503.
    pub(crate) concurrent_requests: usize,
    /// `REQUEST_TIMEOUT_MS`: from the end of the headers until the answer.
    pub(crate) request_timeout: Duration,
    /// `MAX_CONNECTIONS` and `MAX_BUFFERED_BYTES`: beyond these, whoever has waited longest gives way.
    pub(crate) bounds: Bounds,
    /// `HEADER_READ_TIMEOUT_MS` and `IDLE_TIMEOUT_MS`. The latter is longer than the 60 s for which a load balancer keeps
    /// an idle connection
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html>),
    /// so that it never sends on one that has just been closed here.
    pub(crate) time: TimeLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_requests: 256,
            request_timeout: Duration::from_secs(10),
            bounds: Bounds { connections: 512, bytes: 8 * 1024 * 1024 },
            time: TimeLimits { idle: Duration::from_secs(75), head: Duration::from_secs(10) },
        }
    }
}

impl Settings {
    /// Reads the settings for a service that runs in `deployment_environment`.
    pub(crate) fn read(
        environment: &Environment,
        deployment_environment: &str,
    ) -> Result<Self, SettingsError> {
        let mut settings = environment.settings();
        let defaults = Limits::default();
        let listen_address = settings.parse("LISTEN_ADDRESS", SocketAddr::from(([127, 0, 0, 1], 8080)));
        let event_bus_name = settings.required("EVENT_BUS_NAME");
        let limits = Limits {
            concurrent_requests: settings.parse("MAX_CONCURRENT_REQUESTS", defaults.concurrent_requests),
            request_timeout: settings.duration_ms("REQUEST_TIMEOUT_MS", defaults.request_timeout),
            bounds: Bounds {
                connections: settings.parse("MAX_CONNECTIONS", defaults.bounds.connections),
                bytes: settings.parse("MAX_BUFFERED_BYTES", defaults.bounds.bytes),
            },
            time: TimeLimits {
                idle: settings.duration_ms("IDLE_TIMEOUT_MS", defaults.time.idle),
                head: settings.duration_ms("HEADER_READ_TIMEOUT_MS", defaults.time.head),
            },
        };
        for (name, zero) in [
            ("MAX_CONCURRENT_REQUESTS", limits.concurrent_requests == 0),
            ("REQUEST_TIMEOUT_MS", limits.request_timeout.is_zero()),
            ("MAX_CONNECTIONS", limits.bounds.connections == 0),
            ("HEADER_READ_TIMEOUT_MS", limits.time.head.is_zero()),
            ("IDLE_TIMEOUT_MS", limits.time.idle.is_zero()),
        ] {
            if zero {
                settings.wrong(name, "must be more than 0");
            }
        }
        let least = 2 * MAX_BODY_BYTES;
        if limits.bounds.bytes < least {
            settings.wrong("MAX_BUFFERED_BYTES", format!("must be at least {least}"));
        }
        let signed = settings.optional("SIGNATURE_SECRET").is_some();
        let secrets = match settings.optional("SIGNATURE_SECRET").map(|secrets| secrets.parse()) {
            Some(Ok(secrets)) => Some(secrets),
            Some(Err(InvalidSecrets)) => {
                settings.wrong("SIGNATURE_SECRET", InvalidSecrets.to_string());
                None
            }
            None => None,
        };
        let unsigned = settings.parse("UNSIGNED_REQUESTS", Unsigned::Refuse);
        let on_this_machine = deployment_environment == LOCAL && listen_address.ip().is_loopback();
        match unsigned {
            Unsigned::Refuse if !signed && !on_this_machine => {
                settings.wrong("SIGNATURE_SECRET", SECRET_REQUIRED);
            }
            Unsigned::Accept if signed => {
                settings.wrong("UNSIGNED_REQUESTS", "contradicts SIGNATURE_SECRET; unset one of them");
            }
            Unsigned::Refuse | Unsigned::Accept => {}
        }
        settings.finish()?;
        Ok(Self { listen_address, event_bus_name, secrets, limits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], deployment_environment: &str) -> Result<Settings, Vec<String>> {
        let environment = Environment::from_pairs(pairs.iter().copied());
        Settings::read(&environment, deployment_environment)
            .map_err(|error| error.wrong().iter().map(|wrong| wrong.name.clone()).collect())
    }

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_local_run_needs_a_bus_only() {
        let settings = read(&[("EVENT_BUS_NAME", "foostore-local")], "local").unwrap();
        assert_eq!(settings.listen_address, SocketAddr::from(([127, 0, 0, 1], 8080)));
        assert!(settings.secrets.is_none());
    }

    #[test]
    fn wherever_others_can_send_a_good_secret_is_required() {
        let bus = ("EVENT_BUS_NAME", "foostore-prod");
        let everywhere = ("LISTEN_ADDRESS", "0.0.0.0:8080");
        for address in ["0.0.0.0:8080", "[::]:8080", "10.0.0.7:8080"] {
            assert_eq!(read(&[bus, ("LISTEN_ADDRESS", address)], "local").unwrap_err(), ["SIGNATURE_SECRET"]);
        }
        assert_eq!(read(&[bus], "prod").unwrap_err(), ["SIGNATURE_SECRET"]);
        assert_eq!(read(&[bus, ("SIGNATURE_SECRET", "short")], "local").unwrap_err(), ["SIGNATURE_SECRET"]);
        let settings = read(&[bus, everywhere, ("SIGNATURE_SECRET", SECRET)], "prod").unwrap();
        assert!(settings.secrets.is_some());
        assert!(!format!("{settings:?}").contains(&SECRET[6..]));
        assert!(read(&[bus, ("SIGNATURE_SECRET", SECRET)], "local").unwrap().secrets.is_some());
    }

    #[test]
    fn it_is_open_only_when_told_so() {
        let own = [("EVENT_BUS_NAME", "foostore-prod"), ("LISTEN_ADDRESS", "0.0.0.0:8080")];
        let with = |more: &[(&'static str, &'static str)]| read(&[&own, more].concat(), "prod");
        assert!(with(&[("UNSIGNED_REQUESTS", "accept")]).unwrap().secrets.is_none());
        assert_eq!(with(&[("UNSIGNED_REQUESTS", "refuse")]).unwrap_err(), ["SIGNATURE_SECRET"]);
        let both = [("UNSIGNED_REQUESTS", "accept"), ("SIGNATURE_SECRET", SECRET)];
        assert_eq!(with(&both).unwrap_err(), ["UNSIGNED_REQUESTS"]);
        let wrong = with(&[("UNSIGNED_REQUESTS", "yes"), ("SIGNATURE_SECRET", SECRET)]);
        assert_eq!(wrong.unwrap_err(), ["UNSIGNED_REQUESTS"]);
    }

    #[test]
    fn every_wrong_setting_is_named() {
        let wrong = [
            ("LISTEN_ADDRESS", "here"),
            ("MAX_CONCURRENT_REQUESTS", "0"),
            ("REQUEST_TIMEOUT_MS", "soon"),
            ("MAX_CONNECTIONS", "0"),
            ("MAX_BUFFERED_BYTES", "1000"),
            ("HEADER_READ_TIMEOUT_MS", "0"),
            ("IDLE_TIMEOUT_MS", "0"),
        ];
        let mut names = read(&wrong, "local").unwrap_err();
        names.sort();
        let expected = [
            "EVENT_BUS_NAME",
            "HEADER_READ_TIMEOUT_MS",
            "IDLE_TIMEOUT_MS",
            "LISTEN_ADDRESS",
            "MAX_BUFFERED_BYTES",
            "MAX_CONCURRENT_REQUESTS",
            "MAX_CONNECTIONS",
            "REQUEST_TIMEOUT_MS",
        ];
        assert_eq!(names, expected);
    }
}
