//! The patterns of a rule, by the names that the options have.

use aws_sdk_xray::types::SamplingRule;

use crate::style::printable;

/// Matches everything.
pub(super) const ANYTHING: &str = "*";

/// Returns a rule's patterns by name, those that match everything too.
pub(super) fn of(rule: &SamplingRule) -> Vec<(String, &str)> {
    let mut patterns: Vec<(String, &str)> = [
        ("service", &rule.service_name),
        ("type", &rule.service_type),
        ("method", &rule.http_method),
        ("path", &rule.url_path),
        ("host", &rule.host),
        ("arn", &rule.resource_arn),
    ]
    .map(|(name, pattern)| (name.to_owned(), pattern.as_str()))
    .into();
    let mut attributes: Vec<_> = rule.attributes().into_iter().flatten().collect();
    attributes.sort();
    patterns.extend(attributes.iter().map(|(key, pattern)| (format!("attribute {key}"), pattern.as_str())));
    patterns
}

/// Returns what a rule matches, in a line.
pub(super) fn described(rule: &SamplingRule) -> String {
    let narrow = of(rule).into_iter().filter(|(_, pattern)| *pattern != ANYTHING);
    let parts: Vec<String> =
        narrow.map(|(name, pattern)| format!("{}={}", printable(&name), printable(pattern))).collect();
    if parts.is_empty() { "everything".to_owned() } else { parts.join("  ") }
}

/// Returns how many traces a rule records.
pub(super) fn volume(reservoir: i32, rate: f64) -> String {
    let rate = share(rate);
    match reservoir {
        0 => rate,
        reservoir => format!("{reservoir}/s, then {rate}"),
    }
}

/// Returns a share in percent, with as many digits as it has.
pub(super) fn share(rate: f64) -> String {
    // Rounded, since 0.07 times 100 is not exactly 7.
    format!("{} %", (rate * 100.0 * 1e6).round() / 1e6)
}

/// Reads `key=value`.
///
/// # Errors
/// When there is no key or no equals sign.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    pair.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "a key and a value, such as event_type=Voucher*".to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns a rule that matches everything.
    pub(in super::super) fn rule(name: &str, priority: i32) -> SamplingRule {
        let rule =
            SamplingRule::builder().rule_name(name).priority(priority).fixed_rate(0.05).reservoir_size(1);
        let rule =
            rule.service_name(ANYTHING).service_type(ANYTHING).http_method(ANYTHING).url_path(ANYTHING);
        rule.host(ANYTHING).resource_arn(ANYTHING).version(1).build().unwrap()
    }

    #[test]
    fn only_narrow_patterns_are_described() {
        let mut rule = rule("r", 1);
        assert_eq!(described(&rule), "everything");
        rule.url_path = "/v1/*".to_owned();
        rule.attributes =
            Some([("b", "2"), ("a", "1")].map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(described(&rule), "path=/v1/*  attribute a=1  attribute b=2");
    }

    #[test]
    fn volumes_are_short() {
        assert_eq!(
            [volume(0, 0.07), volume(1, 0.05), volume(0, 0.000_1)],
            ["7 %", "1/s, then 5 %", "0.01 %"]
        );
    }

    #[test]
    fn an_attribute_is_a_key_and_a_value() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("a").is_err() && pair("=b").is_err());
    }
}
