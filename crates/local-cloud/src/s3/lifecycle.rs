//! Lifecycle rules: which ones AWS accepts (Amazon S3 API reference, `PutBucketLifecycleConfiguration`, and the user guide,
//! "Lifecycle configuration elements"). Those that delete every object are carried out when there is no room for another one.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::refusal::malformed_xml;
use crate::error::AwsError;

const MAX_RULES: usize = 1_000;
const MAX_ID_CHARACTERS: usize = 255;
/// The classes that objects reach after 30 days at the earliest.
const INFREQUENT: [&str; 2] = ["STANDARD_IA", "ONEZONE_IA"];
const LEAST_DAYS: i64 = 30;

/// Checks the rules, and gives those without an id one.
pub(super) fn check(document: &mut Value) -> Result<(), AwsError> {
    let rules = document["Rules"].as_array_mut().ok_or_else(malformed_xml)?;
    if rules.is_empty() || rules.len() > MAX_RULES {
        return Err(malformed_xml());
    }
    let mut ids = BTreeSet::new();
    for rule in rules {
        if rule["ID"].as_str().is_none_or(str::is_empty) {
            rule["ID"] = Uuid::new_v4().to_string().into();
        }
        let id = rule["ID"].as_str().unwrap_or_default();
        if id.chars().count() > MAX_ID_CHARACTERS {
            return Err(invalid(format!("ID length should not exceed allowed limit of {MAX_ID_CHARACTERS}")));
        }
        if !ids.insert(id.to_owned()) {
            return Err(invalid("Rule ID must be unique. Found same ID for more than one rule"));
        }
        check_scope(rule)?;
        check_actions(rule)?;
    }
    Ok(())
}

/// Whether one of the rules deletes every object, sooner or later.
pub(super) fn deletes_all(document: &Value) -> bool {
    // A filter by tags or sizes has other members.
    let is_for_all = |rule: &Value| match rule.get("Filter").and_then(Value::as_object) {
        Some(filter) => filter.iter().all(|(name, value)| name == "Prefix" && value == ""),
        None => rule["Prefix"] == "",
    };
    document["Rules"].as_array().into_iter().flatten().any(|rule| {
        rule["Status"] == "Enabled"
            && is_for_all(rule)
            && ["Days", "Date"].iter().any(|given| rule["Expiration"].get(given).is_some())
    })
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidArgument", message)
}

/// A rule has a filter or, as it was before there were filters, a prefix.
fn check_scope(rule: &Value) -> Result<(), AwsError> {
    match (rule.get("Filter"), rule.get("Prefix")) {
        (Some(filter), None) if filter.as_object().is_some_and(|members| members.len() <= 1) => Ok(()),
        (None, Some(_)) => Ok(()),
        _ => Err(malformed_xml()),
    }
}

fn check_actions(rule: &Value) -> Result<(), AwsError> {
    let actions = [
        "Expiration",
        "Transitions",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransitions",
        "AbortIncompleteMultipartUpload",
    ];
    if !actions.iter().any(|action| rule.get(*action).is_some()) {
        let message = "At least one action needs to be specified in a rule.";
        return Err(AwsError::bad_request("InvalidRequest", message));
    }
    let expiration = rule.get("Expiration");
    if let Some(expiration) = expiration {
        let given = ["Days", "Date", "ExpiredObjectDeleteMarker"]
            .into_iter()
            .filter(|name| expiration.get(name).is_some());
        if given.count() != 1 {
            return Err(malformed_xml());
        }
        positive(&expiration["Days"], "'Days' for Expiration action must be a positive integer")?;
    }
    let noncurrent = &rule["NoncurrentVersionExpiration"]["NoncurrentDays"];
    positive(
        noncurrent,
        "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
    )?;
    let aborted = &rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"];
    positive(
        aborted,
        "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
    )?;
    let expires_after = expiration.and_then(|expiration| expiration["Days"].as_i64());
    for transition in rule["Transitions"].as_array().into_iter().flatten() {
        check_transition(transition, expires_after)?;
    }
    Ok(())
}

fn check_transition(transition: &Value, expires_after: Option<i64>) -> Result<(), AwsError> {
    let Some(class) = transition["StorageClass"].as_str() else { return Err(malformed_xml()) };
    let Some(days) = transition["Days"].as_i64() else {
        return if transition.get("Date").is_some() { Ok(()) } else { Err(malformed_xml()) };
    };
    if days < 0 {
        return Err(invalid("'Days' in Transition action must be nonnegative"));
    }
    if INFREQUENT.contains(&class) && days < LEAST_DAYS {
        return Err(invalid(format!(
            "'Days' in Transition action must be greater than or equal to {LEAST_DAYS} for storageClass '{class}'"
        )));
    }
    if expires_after.is_some_and(|expires_after| expires_after <= days) {
        return Err(invalid(
            "'Days' in the Expiration action must be greater than 'Days' in the Transition action",
        ));
    }
    Ok(())
}

fn positive(days: &Value, message: &str) -> Result<(), AwsError> {
    if days.as_i64().is_some_and(|days| days < 1) { Err(invalid(message)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_that_delete_everything_are_told_from_others() {
        let deletes = |rule: Value| deletes_all(&json!({"Rules": [rule]}));
        let days = json!({"Days": 30});
        assert!(deletes(json!({"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": days})));
        assert!(deletes(json!({"Status": "Enabled", "Filter": {}, "Expiration": {"Date": 1}})));
        assert!(deletes(json!({"Status": "Enabled", "Prefix": "", "Expiration": days})));
        assert!(!deletes(json!({"Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": days})));
        assert!(!deletes(json!({"Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": days})));
        assert!(!deletes(json!({"Status": "Enabled", "Filter": {"Tag": {"Key": "a"}}, "Expiration": days})));
        assert!(!deletes(json!({"Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": []})));
    }

    fn refused(rule: &Value) -> String {
        check(&mut json!({"Rules": [rule]})).unwrap_err().code.into_owned()
    }

    #[test]
    fn rules_are_checked_as_aws_does() {
        let all = json!({"Prefix": ""});
        let mut document = json!({"Rules": [{
            "Filter": all, "Status": "Enabled", "Expiration": {"Days": 400},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
        }]});
        check(&mut document).unwrap();
        assert!(document["Rules"][0]["ID"].is_string());
        let with = |mut rule: Value| {
            rule["Status"] = "Enabled".into();
            refused(&rule)
        };
        assert_eq!(with(json!({"Expiration": {"Days": 1}})), "MalformedXML");
        assert_eq!(with(json!({"Filter": all, "Prefix": "", "Expiration": {"Days": 1}})), "MalformedXML");
        assert_eq!(with(json!({"Filter": all})), "InvalidRequest");
        assert_eq!(with(json!({"Filter": all, "Expiration": {"Days": 0}})), "InvalidArgument");
        assert_eq!(with(json!({"Filter": all, "Expiration": {}})), "MalformedXML");
        let early = json!([{"Days": 29, "StorageClass": "STANDARD_IA"}]);
        assert_eq!(with(json!({"Filter": all, "Transitions": early})), "InvalidArgument");
        let late = json!([{"Days": 90, "StorageClass": "GLACIER"}]);
        assert_eq!(
            with(json!({"Filter": all, "Expiration": {"Days": 90}, "Transitions": late})),
            "InvalidArgument"
        );
    }
}
