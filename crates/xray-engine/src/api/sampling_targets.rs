//! `GetSamplingTargets` and `GetSamplingStatisticSummaries`
//! (<https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingTargets.html>).

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::operation::Call;
use super::page::{PageInput, page};
use crate::control::{AnomalyCounts, Control, Counts, INTERVAL_S, QUOTA_S, Rule};

/// How far from now the time of a document may be, in seconds. The developer guide says that documents can be too old, but
/// not how old that is; this is how long a quota is valid.
const MAX_SKEW_S: f64 = 300.0;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetsInput {
    sampling_statistics_documents: Vec<StatisticsDocument>,
    sampling_boost_statistics_documents: Option<Vec<BoostDocument>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticsDocument {
    rule_name: String,
    #[serde(rename = "ClientID")]
    client_id: String,
    timestamp: f64,
    request_count: u32,
    sampled_count: u32,
    borrow_count: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BoostDocument {
    rule_name: String,
    timestamp: f64,
    anomaly_count: u32,
    sampled_anomaly_count: u32,
}

/// Why a document was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unprocessed {
    NoRule,
    OutOfTime,
}

pub(super) fn targets(call: &Call<'_>, input: &TargetsInput) -> Value {
    let mut control = call.plane.control();
    let mut unprocessed_boosts = Vec::new();
    // First, because the targets of this very call show what they cause.
    for document in input.sampling_boost_statistics_documents.iter().flatten() {
        if let Err(reason) = report_anomalies(&mut control, document, call.now) {
            unprocessed_boosts.push(reason.wire(&document.rule_name));
        }
    }
    let (mut targets, mut unprocessed) = (Vec::new(), Vec::new());
    for document in &input.sampling_statistics_documents {
        match target(&mut control, document, call.now) {
            Ok(target) => targets.push(target),
            Err(reason) => unprocessed.push(reason.wire(&document.rule_name)),
        }
    }
    json!({
        "SamplingTargetDocuments": targets,
        "LastRuleModification": control.rules.last_modification(),
        "UnprocessedStatistics": unprocessed,
        "UnprocessedBoostStatistics": unprocessed_boosts,
    })
}

fn report_anomalies(control: &mut Control, document: &BoostDocument, now: f64) -> Result<(), Unprocessed> {
    let Control { rules, boosts, .. } = control;
    let rule = rules.get(&document.rule_name).ok_or(Unprocessed::NoRule)?;
    check_time(document.timestamp, now)?;
    let counts = AnomalyCounts { anomalies: document.anomaly_count, sampled: document.sampled_anomaly_count };
    boosts.report(&rule.name, &rule.settings, counts, now);
    Ok(())
}

fn target(control: &mut Control, document: &StatisticsDocument, now: f64) -> Result<Value, Unprocessed> {
    let Control { rules, targets, statistics, boosts, .. } = control;
    let Rule { name, settings, .. } = rules.get(&document.rule_name).ok_or(Unprocessed::NoRule)?;
    check_time(document.timestamp, now)?;
    let counts = Counts {
        requests: document.request_count.into(),
        sampled: document.sampled_count.into(),
        borrowed: document.borrow_count.unwrap_or_default().into(),
    };
    statistics.record(name, counts, document.timestamp, now);
    let quota = targets.quota(name, settings.reservoir_size, &document.client_id, counts.requests, now);
    let mut target = json!({
        "RuleName": name,
        "FixedRate": settings.fixed_rate,
        "ReservoirQuota": quota,
        "ReservoirQuotaTTL": now + QUOTA_S,
        "Interval": INTERVAL_S,
    });
    if let Some((rate, until)) = boosts.current(name, settings, now) {
        target["SamplingBoost"] = json!({"BoostRate": rate, "BoostRateTTL": until});
    }
    Ok(target)
}

fn check_time(timestamp: f64, now: f64) -> Result<(), Unprocessed> {
    if (timestamp - now).abs() <= MAX_SKEW_S { Ok(()) } else { Err(Unprocessed::OutOfTime) }
}

impl Unprocessed {
    /// AWS does not document the codes. Its SDKs fetch the rules anew if a code begins with 4, and count one that begins
    /// with 5 as a failure of X-Ray (`strategy/sampling/centralized.go` of aws-xray-sdk-go), so they are like HTTP's.
    fn wire(self, rule: &str) -> Value {
        let (code, message) = match self {
            Self::NoRule => ("404", "the sampling rule does not exist: fetch the rules again"),
            Self::OutOfTime => ("400", "Timestamp is more than five minutes from now: check the clock"),
        };
        json!({"RuleName": rule, "ErrorCode": code, "Message": message})
    }
}

pub(super) fn summaries(call: &Call<'_>, input: &PageInput) -> Result<Value, ApiError> {
    /// The model's integers have 32 bits.
    fn integer(count: u64) -> i32 {
        i32::try_from(count).unwrap_or(i32::MAX)
    }
    let control = call.plane.control();
    let summaries = control.statistics.rows().map(|(start, rule, counts)| {
        let summary = json!({
            "RuleName": rule,
            "Timestamp": start,
            "RequestCount": integer(counts.requests),
            "BorrowCount": integer(counts.borrowed),
            "SampledCount": integer(counts.sampled),
        });
        (format!("{start:020}/{rule}"), summary)
    });
    page("SamplingStatisticSummaries", summaries, input.next_token.as_deref(), call.plane.page_size())
}
