//! Reads variables, and names those with an invalid value.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// A variable with an invalid value. The value itself is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{variable}: {problem}")]
pub struct InvalidSetting {
    /// The variable's name.
    pub variable: &'static str,
    /// What was expected.
    pub problem: String,
}

/// Reads variables and collects their problems. An empty value counts as absent, as the specification requires.
pub(super) struct Reader<F> {
    pub(super) lookup: F,
    pub(super) problems: Vec<InvalidSetting>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn get(&self, variable: &str) -> Option<String> {
        (self.lookup)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(super) fn problem(&mut self, variable: &'static str, problem: impl Into<String>) {
        self.problems.push(InvalidSetting { variable, problem: problem.into() });
    }

    pub(super) fn parse<T: FromStr>(&mut self, variable: &'static str, expected: &str) -> Option<T> {
        let parsed = self.get(variable)?.parse().ok();
        if parsed.is_none() {
            self.problem(variable, format!("expected {expected}"));
        }
        parsed
    }

    pub(super) fn milliseconds(&mut self, variable: &'static str, default: Duration) -> Duration {
        match self.parse::<u64>(variable, "a number of milliseconds above 0") {
            Some(0) => {
                self.problem(variable, "expected a number of milliseconds above 0");
                default
            }
            Some(value) => Duration::from_millis(value),
            None => default,
        }
    }

    pub(super) fn count(&mut self, variable: &'static str, default: usize) -> usize {
        match self.parse::<usize>(variable, "a whole number above 0") {
            Some(0) => {
                self.problem(variable, "expected a whole number above 0");
                default
            }
            Some(value) => value,
            None => default,
        }
    }

    pub(super) fn one_of(&mut self, variable: &'static str, allowed: &[&str]) -> Option<String> {
        let value = self.get(variable)?.to_ascii_lowercase();
        if !allowed.contains(&value.as_str()) {
            self.problem(variable, format!("expected {}", allowed.join(" or ")));
        }
        Some(value)
    }
}

/// Returns whether an address begins with `http://` and has a host. The collector runs beside the service, so the connection never leaves the task and needs no TLS.
pub(super) fn is_plain_http(address: &str) -> bool {
    address
        .parse::<http::Uri>()
        .is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty()))
}
