//! `GetIndexingRules` and `UpdateIndexingRule`
//! (<https://docs.aws.amazon.com/xray/latest/api/API_UpdateIndexingRule.html>).

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::operation::Call;
use crate::control::IndexingRule;

/// There is never a second page.
pub(super) fn list(call: &Call<'_>) -> Value {
    json!({"IndexingRules": [wire(&call.plane.control().indexing)]})
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    name: String,
    rule: RuleUpdate,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RuleUpdate {
    probabilistic: Option<Probabilistic>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Probabilistic {
    desired_sampling_percentage: f64,
}

pub(super) fn update(call: &Call<'_>, input: &UpdateInput) -> Result<Value, ApiError> {
    let Some(probabilistic) = &input.rule.probabilistic else {
        return Err(ApiError::invalid("Rule.Probabilistic must be given"));
    };
    let mut control = call.plane.control();
    control.indexing.update(&input.name, probabilistic.desired_sampling_percentage, call.now)?;
    Ok(json!({"IndexingRule": wire(&control.indexing)}))
}

fn wire(rule: &IndexingRule) -> Value {
    let percentage = rule.percentage;
    let probabilistic =
        json!({"DesiredSamplingPercentage": percentage, "ActualSamplingPercentage": percentage});
    json!({
        "Name": IndexingRule::NAME,
        "ModifiedAt": rule.modified_at,
        "Rule": {"Probabilistic": probabilistic},
    })
}
