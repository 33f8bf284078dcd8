//! The health check of an image without a shell: the binary itself queries the running one.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use thiserror::Error;

use crate::boot;
use crate::environment::{Environment, SettingsError};

/// The argument that makes a service's binary query instead of serve. A second one names the route, by default `ready`.
const ARGUMENT: &str = "health";
/// The route of readiness.
const READY: &str = "/health/ready";
/// How long connecting and each read or write may take; shorter than the timeout of a container's health check.
const PATIENCE: Duration = Duration::from_secs(2);
/// A report is a few hundred bytes long.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Why something is not healthy.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// The address cannot be read.
    #[error("setting {0}")]
    Settings(#[from] SettingsError),
    /// Nothing answers at the address.
    #[error("{address} does not answer: {source}")]
    NoAnswer {
        /// The address queried.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// The answer has a status other than 200.
    #[error("not ready: {report}")]
    NotReady {
        /// The body of the answer.
        report: String,
    },
}

/// Sends `GET {path}` to the address; 200 means healthy. For an address such as `0.0.0.0`, which can only be listened
/// on, it queries this machine.
///
/// # Errors
/// [`Unhealthy`] with the reason.
pub fn probe(address: SocketAddr, path: &str) -> Result<(), Unhealthy> {
    let address = reachable(address);
    let answer = ask(address, path).map_err(|source| Unhealthy::NoAnswer { address, source })?;
    let (head, report) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        let status = head.lines().next().unwrap_or_default();
        Err(Unhealthy::NotReady { report: format!("{status} {report}").trim().to_owned() })
    }
}

/// Queries the readiness of the service that runs with this environment, writes the reason to standard error if it is
/// not ready, and returns 0 or 1, the two exit codes that Docker knows.
#[must_use]
pub fn health(environment: &Environment) -> ExitCode {
    answer(environment, READY)
}

/// Returns the route that these arguments, without the program's name, ask for instead of serving.
pub(crate) fn asked(mut arguments: impl Iterator<Item = OsString>) -> Option<String> {
    (arguments.next()? == ARGUMENT).then(|| match arguments.next() {
        // An unknown route is answered with 404, which counts as unhealthy.
        Some(route) => format!("/health/{}", route.to_string_lossy()),
        None => READY.to_owned(),
    })
}

/// As [`health`], for any of the health routes.
pub(crate) fn answer(environment: &Environment, path: &str) -> ExitCode {
    match ask_service(environment, path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(unhealthy) => {
            // Without a standard error there is nowhere left to report to.
            drop(writeln!(io::stderr(), "{unhealthy}"));
            ExitCode::FAILURE
        }
    }
}

fn ask_service(environment: &Environment, path: &str) -> Result<(), Unhealthy> {
    let mut settings = environment.settings();
    let address = boot::health_address(&mut settings);
    settings.finish()?;
    probe(address, path)
}

fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(_) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        }
    }
    address
}

/// Returns the whole answer to one request. Blocking and without an HTTP client, to keep a check cheap.
fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::Health;

    /// What a service with this health and this address is found to be.
    async fn found(health: &Health, listen: &str) -> Result<(), Unhealthy> {
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(axum::serve(listener, health.router()).into_future());
        let environment = Environment::from_pairs([("HEALTH_ADDRESS", address)]);
        let found = tokio::task::spawn_blocking(move || ask_service(&environment, READY)).await.unwrap();
        server.abort();
        found
    }

    #[tokio::test]
    async fn a_service_is_healthy_when_it_is_ready_and_says_why_it_is_not() {
        let health = Health::new();
        let queue = health.register("queue");
        health.ready();
        queue.down("receive failed");
        let unhealthy = found(&health, "127.0.0.1:0").await.unwrap_err().to_string();
        assert!(unhealthy.contains("503") && unhealthy.contains("receive failed"), "{unhealthy}");
        queue.up();
        found(&health, "127.0.0.1:0").await.unwrap();
        found(&health, "0.0.0.0:0").await.unwrap();
    }

    #[tokio::test]
    async fn nobody_there_and_a_wrong_address_are_told_apart() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let nobody = probe(free, READY).unwrap_err();
        assert!(matches!(nobody, Unhealthy::NoAnswer { .. }), "{nobody}");
        let environment = Environment::from_pairs([("HEALTH_ADDRESS", "nowhere")]);
        let wrong = ask_service(&environment, READY).unwrap_err();
        assert!(matches!(wrong, Unhealthy::Settings(_)), "{wrong}");
    }

    #[test]
    fn only_the_argument_asks() {
        let asked = |line: &str| asked(line.split_whitespace().map(OsString::from));
        assert_eq!(asked(""), None);
        assert_eq!(asked("service membership"), None);
        assert_eq!(asked("health").as_deref(), Some(READY));
        assert_eq!(asked("health started").as_deref(), Some("/health/started"));
    }
}
