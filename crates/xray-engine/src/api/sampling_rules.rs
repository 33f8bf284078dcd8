//! `CreateSamplingRule`, `UpdateSamplingRule`, `DeleteSamplingRule` and `GetSamplingRules`
//! (<https://docs.aws.amazon.com/xray/latest/api/API_CreateSamplingRule.html>).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ApiError;
use super::operation::Call;
use super::page::{PageInput, page};
use crate::control::{Place, Rule, RuleChange, RuleKey, RuleSettings, Tag, Tags};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    sampling_rule: NewRule,
    tags: Option<Vec<Tag>>,
}

#[derive(Debug, Deserialize)]
struct NewRule {
    #[serde(flatten)]
    key: RuleKey,
    #[serde(flatten)]
    settings: RuleSettings,
}

pub(super) fn create(call: &Call<'_>, input: &CreateInput) -> Result<Value, ApiError> {
    let NewRule { key, settings } = &input.sampling_rule;
    if key.arn.is_some() {
        return Err(ApiError::invalid("SamplingRule.RuleARN is made by X-Ray: leave it out of a new rule"));
    }
    let tags = Tags::new(input.tags.as_deref().unwrap_or_default())?;
    let mut control = call.plane.control();
    record(control.rules.create(key.name.as_deref(), settings.clone(), tags, call.now)?, call.plane.place())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    sampling_rule_update: Update,
}

#[derive(Debug, Deserialize)]
struct Update {
    #[serde(flatten)]
    key: RuleKey,
    #[serde(flatten)]
    change: RuleChange,
}

pub(super) fn update(call: &Call<'_>, input: &UpdateInput) -> Result<Value, ApiError> {
    let Update { key, change } = &input.sampling_rule_update;
    let place = call.plane.place();
    record(call.plane.control().rules.update(key, change, place, call.now)?, place)
}

pub(super) fn delete(call: &Call<'_>, key: &RuleKey) -> Result<Value, ApiError> {
    let place = call.plane.place();
    record(&call.plane.control().delete_rule(key, place, call.now)?, place)
}

pub(super) fn list(call: &Call<'_>, input: &PageInput) -> Result<Value, ApiError> {
    let control = call.plane.control();
    let records = control
        .rules
        .iter()
        .map(|rule| Ok((rule.name.clone(), wire(rule, call.plane.place())?)))
        .collect::<Result<Vec<_>, ApiError>>()?;
    page("SamplingRuleRecords", records.into_iter(), input.next_token.as_deref(), call.plane.page_size())
}

fn record(rule: &Rule, place: &Place) -> Result<Value, ApiError> {
    Ok(json!({"SamplingRuleRecord": wire(rule, place)?}))
}

fn wire(rule: &Rule, place: &Place) -> Result<Value, ApiError> {
    #[derive(Serialize)]
    struct SamplingRule<'a> {
        #[serde(rename = "RuleName")]
        name: &'a str,
        #[serde(rename = "RuleARN")]
        arn: String,
        #[serde(flatten)]
        settings: &'a RuleSettings,
    }
    let written = SamplingRule { name: &rule.name, arn: rule.arn(place), settings: &rule.settings };
    Ok(json!({
        "SamplingRule": serde_json::to_value(written)?,
        "CreatedAt": rule.created_at,
        "ModifiedAt": rule.modified_at,
    }))
}
