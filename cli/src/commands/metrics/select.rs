//! Selects services and metrics.

use std::convert::Infallible;
use std::str::FromStr;

use metrics_engine::Document;

use crate::failure::Failure;
use crate::style::printable;

/// The beginning of a name, or with `*` all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(String);

impl FromStr for Pattern {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(if text.contains('*') { text.to_owned() } else { format!("{text}*") }))
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

/// Checks that each service has exported metrics.
///
/// # Errors
/// When one has not, with the names of those that have.
pub(super) fn known(document: &Document, services: &[String]) -> Result<(), Failure> {
    let known: Vec<&str> = document.services.iter().map(|service| &*service.name).collect();
    match services.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) if known.is_empty() => {
            Err(Failure::refused(format!("no metrics of {unknown}, and of no other service yet")))
        }
        Some(unknown) => {
            let known = printable(&known.join(", "));
            Err(Failure::refused(format!("no metrics of {unknown}: there are those of {known}")))
        }
        None => Ok(()),
    }
}

/// Removes all but these services and metrics; all are kept if none is named.
pub(super) fn keep(document: &mut Document, services: &[String], names: &[Pattern]) {
    document.services.retain(|service| services.is_empty() || services.contains(&service.name));
    if names.is_empty() {
        return;
    }
    for service in &mut document.services {
        service.metrics.retain(|metric| names.iter().any(|pattern| pattern.matches(&metric.name)));
    }
    document.services.retain(|service| !service.metrics.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_beginning_or_has_stars() {
        let matches = |pattern: &str, name| pattern.parse::<Pattern>().unwrap().matches(name);
        for (pattern, name) in [
            ("", "consumer.messages"),
            ("consumer.", "consumer.messages"),
            ("consumer.messages", "consumer.messages"),
            ("*.duration", "http.server.request.duration"),
            ("*", "a"),
            ("messaging.*.duration", "messaging.process.duration"),
            ("m*s*r*n", "messaging.process.duration"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("messages", "consumer.messages"),
            ("*.duration", "duration.max"),
            ("a*a", "a"),
            ("consumer.*x*", "consumer.messages"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
