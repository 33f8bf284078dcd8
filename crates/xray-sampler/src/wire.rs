//! Requests and responses of both calls.
//!
//! Requests follow the service's model exactly. Responses are parsed leniently: unknown fields are ignored, `null`
//! counts as absent, and an element that cannot be parsed is left out without affecting the others.
//!
//! Sources: <https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingRules.html>,
//! <https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingTargets.html>.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::glob::Glob;
use crate::rule::{Detection, Rule};
use crate::rule_set::TakenStatistics;
use crate::target::TargetUpdate;

/// The supported version of the rule format.
const RULE_VERSION: i64 = 1;

/// The priority of a rule without one: that of the Default rule.
const LOWEST_PRIORITY: i64 = 10_000;

/// The longest name of a service that a report may contain, in characters.
const MAX_SERVICE_NAME: usize = 64;

/// A page of rules.
#[derive(Debug, Default)]
pub(crate) struct RulesPage {
    pub(crate) rules: Vec<Rule>,
    /// The date of the latest modification of one of the rules, in seconds since the Unix epoch.
    pub(crate) modified: Option<f64>,
    /// The number of rules that could not be parsed.
    pub(crate) unreadable: usize,
    pub(crate) next_token: Option<String>,
}

/// The response to a report.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    pub(crate) updates: Vec<TargetUpdate>,
    /// The date at which a rule was last modified, in seconds since the Unix epoch.
    pub(crate) last_modification: Option<f64>,
    /// The service's reasons for not processing statistics.
    pub(crate) unprocessed: Vec<String>,
}

/// Creates the request for a page of rules.
pub(crate) fn rules_request(next_token: Option<&str>) -> Value {
    next_token.map_or_else(|| serde_json::json!({}), |token| serde_json::json!({ "NextToken": token }))
}

/// Parses a page of rules.
pub(crate) fn rules_page(body: &[u8]) -> Result<RulesPage, serde_json::Error> {
    let response: RulesResponse = serde_json::from_slice(body)?;
    let mut page = RulesPage {
        next_token: response.next_token.filter(|token| !token.is_empty()),
        ..RulesPage::default()
    };
    for record in response.sampling_rule_records.unwrap_or_default() {
        let Some(record) = parsed::<RuleRecord>(record) else {
            page.unreadable += 1;
            continue;
        };
        page.modified = later(page.modified, record.modified_at);
        match record.sampling_rule.into_rule() {
            Some(rule) => page.rules.push(rule),
            None => page.unreadable += 1,
        }
    }
    Ok(page)
}

/// Returns the later of two dates.
pub(crate) fn later(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::max)
}

/// Who reports statistics.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    pub(crate) client_id: String,
    /// The name of the service.
    pub(crate) service: String,
}

/// Creates the request that reports statistics.
pub(crate) fn report(reporter: &Reporter, date: f64, statistics: &[TakenStatistics]) -> Report {
    let document = |(name, taken): &TakenStatistics| {
        let counts = taken.counts()?;
        Some(StatisticsDocument {
            rule_name: name.to_string(),
            client_id: reporter.client_id.clone(),
            timestamp: date,
            request_count: integer(counts.requests),
            sampled_count: integer(counts.sampled),
            borrow_count: integer(counts.borrowed),
        })
    };
    let boost_document = |(name, taken): &TakenStatistics| {
        let anomalies = taken.anomalies()?;
        Some(BoostStatisticsDocument {
            rule_name: name.to_string(),
            service_name: reporter.service.chars().take(MAX_SERVICE_NAME).collect(),
            timestamp: date,
            anomaly_count: integer(anomalies.anomalies()),
            total_count: integer(anomalies.total()),
            sampled_anomaly_count: integer(anomalies.sampled_anomalies()),
        })
    };
    Report {
        sampling_statistics_documents: statistics.iter().filter_map(document).collect(),
        sampling_boost_statistics_documents: statistics.iter().filter_map(boost_document).collect(),
    }
}

/// Parses the response to a report.
pub(crate) fn targets(body: &[u8]) -> Result<Targets, serde_json::Error> {
    let response: TargetsResponse = serde_json::from_slice(body)?;
    let documents = response.sampling_target_documents.unwrap_or_default();
    let unprocessed = response.unprocessed_statistics.unwrap_or_default();
    Ok(Targets {
        updates: documents.into_iter().filter_map(parsed::<TargetDocument>).map(Into::into).collect(),
        last_modification: response.last_rule_modification,
        unprocessed: unprocessed.into_iter().filter_map(parsed::<Unprocessed>).map(Into::into).collect(),
    })
}

fn parsed<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

/// Converts a number to the service's integer type, which has 32 bits.
fn integer(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RulesResponse {
    sampling_rule_records: Option<Vec<Value>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RuleRecord {
    sampling_rule: RuleDocument,
    modified_at: Option<f64>,
}

/// A rule.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RuleDocument {
    rule_name: Option<String>,
    priority: Option<i64>,
    fixed_rate: Option<f64>,
    reservoir_size: Option<i64>,
    service_name: Option<String>,
    service_type: Option<String>,
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
    host: Option<String>,
    #[serde(rename = "HTTPMethod")]
    http_method: Option<String>,
    #[serde(rename = "URLPath")]
    url_path: Option<String>,
    attributes: Option<BTreeMap<String, Option<String>>>,
    version: Option<i64>,
    sampling_rate_boost: Option<Value>,
}

impl RuleDocument {
    /// Returns the rule, unless it has no name to report it under, or an unsupported version. An absent pattern is `*`.
    fn into_rule(self) -> Option<Rule> {
        let name = self.rule_name.filter(|name| !name.is_empty())?;
        if self.version.is_some_and(|version| version != RULE_VERSION) {
            return None;
        }
        let pattern = |pattern: Option<String>| pattern.as_deref().map(Glob::new).unwrap_or_default();
        let attributes = self.attributes.unwrap_or_default();
        let boost =
            self.sampling_rate_boost.map(|boost| match boost["DisableDefaultAnomalyDetection"].as_bool() {
                Some(true) => Detection::ByConditions,
                _ => Detection::Default,
            });
        Some(Rule {
            name: name.into(),
            priority: self.priority.unwrap_or(LOWEST_PRIORITY),
            fixed_rate: self.fixed_rate.unwrap_or(0.0).clamp(0.0, 1.0),
            reservoir_size: natural(self.reservoir_size.unwrap_or(0)),
            service_name: pattern(self.service_name),
            service_type: pattern(self.service_type),
            resource_arn: pattern(self.resource_arn),
            host: pattern(self.host),
            http_method: pattern(self.http_method),
            url_path: pattern(self.url_path),
            attributes: attributes.into_iter().map(|(key, value)| (key, pattern(value))).collect(),
            boost,
        })
    }
}

/// Converts a number to the nearest one that is not negative and fits.
fn natural(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// The request of `GetSamplingTargets`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Report {
    sampling_statistics_documents: Vec<StatisticsDocument>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sampling_boost_statistics_documents: Vec<BoostStatisticsDocument>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticsDocument {
    rule_name: String,
    #[serde(rename = "ClientID")]
    client_id: String,
    timestamp: f64,
    request_count: i32,
    sampled_count: i32,
    borrow_count: i32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct BoostStatisticsDocument {
    rule_name: String,
    service_name: String,
    timestamp: f64,
    anomaly_count: i32,
    total_count: i32,
    sampled_anomaly_count: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TargetsResponse {
    sampling_target_documents: Option<Vec<Value>>,
    last_rule_modification: Option<f64>,
    unprocessed_statistics: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TargetDocument {
    rule_name: String,
    fixed_rate: Option<f64>,
    reservoir_quota: Option<i64>,
    #[serde(rename = "ReservoirQuotaTTL")]
    reservoir_quota_ttl: Option<f64>,
    interval: Option<i64>,
    sampling_boost: Option<Boost>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Boost {
    boost_rate: Option<f64>,
    #[serde(rename = "BoostRateTTL")]
    boost_rate_ttl: Option<f64>,
}

impl From<TargetDocument> for TargetUpdate {
    /// A quota or boost without a date is ignored, because its validity is unknown.
    fn from(document: TargetDocument) -> Self {
        let rate = |rate: f64| rate.clamp(0.0, 1.0);
        Self {
            rule: document.rule_name,
            fixed_rate: document.fixed_rate.map(rate),
            quota: document.reservoir_quota.map(natural).zip(document.reservoir_quota_ttl),
            boost: document
                .sampling_boost
                .and_then(|boost| boost.boost_rate.map(rate).zip(boost.boost_rate_ttl)),
            interval: document.interval.and_then(|seconds| u64::try_from(seconds).ok()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Unprocessed {
    rule_name: Option<String>,
    error_code: Option<String>,
    message: Option<String>,
}

impl From<Unprocessed> for String {
    fn from(unprocessed: Unprocessed) -> Self {
        let parts = [unprocessed.rule_name, unprocessed.error_code, unprocessed.message];
        parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
    }
}

#[cfg(test)]
mod tests;
