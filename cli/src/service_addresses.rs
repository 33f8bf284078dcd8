//! The addresses that a service writes to the file named by `ADDRESSES_FILE`, and whether it is ready there.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::style::printable;

/// Time limit for a readiness check.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Where a service listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The address of its health checks.
    pub(crate) health: Option<SocketAddr>,
    /// The address at which it accepts requests, if it listens.
    pub(crate) listening: Option<SocketAddr>,
}

impl Addresses {
    /// Reads what the service has written so far; the last line may be incomplete.
    pub(crate) fn read(text: &str) -> Self {
        let mut addresses = Self::default();
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            match line.split_once(' ') {
                Some(("health", address)) => addresses.health = address.parse().ok(),
                Some(("listening", address)) => addresses.listening = address.parse().ok(),
                _ => {}
            }
        }
        addresses
    }
}

/// Asks a service whether it is ready.
///
/// # Errors
/// When it is not, with the reason.
pub(crate) async fn ready(http: &reqwest::Client, health: SocketAddr) -> Result<(), String> {
    let request = http.get(format!("http://{health}/health/ready")).timeout(PROBE_TIMEOUT);
    let answer = request
        .send()
        .await
        .map_err(|error| format!("its health address {health} did not answer: {}", error.without_url()))?;
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status().as_u16();
    let body = answer.text().await.unwrap_or_default();
    Err(down(&body).unwrap_or_else(|| format!("its readiness is {status}: {}", printable(body.trim()))))
}

/// Returns what is down according to a readiness report.
fn down(body: &str) -> Option<String> {
    let report: Value = serde_json::from_str(body).ok()?;
    let reasons: Vec<String> = report
        .get("checks")?
        .as_object()?
        .iter()
        .filter_map(|(name, check)| Some((name, check.get("reason")?.as_str()?)))
        .map(|(name, reason)| printable(&format!("{name}: {reason}")))
        .collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_line_is_no_address() {
        let addresses = Addresses::read("health 127.0.0.1:41001\nlistening 127.0.0.1:4");
        assert_eq!((addresses.health, addresses.listening), ("127.0.0.1:41001".parse().ok(), None));
        let addresses = Addresses::read("health 127.0.0.1:41001\nlistening 127.0.0.1:41002\n");
        assert_eq!(addresses.listening, "127.0.0.1:41002".parse().ok());
    }

    #[test]
    fn what_is_down_is_named_with_its_reason() {
        let body = r#"{"status":"down","checks":{"queue":{"status":"down","reason":"throttled\u001b[2J"},
                       "service":{"status":"up"},"table":{"status":"down","reason":"not yet known"}}}"#;
        assert_eq!(down(body).as_deref(), Some("queue: throttled\u{fffd}[2J; table: not yet known"));
        assert_eq!(down("<html>"), None);
    }
}
