//! A topic's delivery policy. It governs deliveries over HTTP, which the local cloud does not make; it is checked, kept
//! and returned so that a deployment that sets it works (SNS developer guide, "Message delivery retries").

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct DeliveryPolicy {
    #[serde(default)]
    http: Http,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Http {
    #[serde(skip_serializing_if = "Option::is_none")]
    default_healthy_retry_policy: Option<HealthyRetryPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_throttle_policy: Option<Throttle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_request_policy: Option<Request>,
    #[serde(default)]
    disable_subscription_overrides: bool,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HealthyRetryPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    min_delay_target: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_delay_target: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_max_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_no_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_min_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff_function: Option<Backoff>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Backoff {
    Arithmetic,
    Exponential,
    Geometric,
    Linear,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Throttle {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_receives_per_second: Option<u32>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    #[serde(skip_serializing_if = "Option::is_none")]
    header_content_type: Option<String>,
}

const MAX_DELAY_S: u32 = 3600;
const MAX_RETRIES: u32 = 100;

/// Returns the policy as AWS returns it: the given members, without nulls. The error names what is wrong.
pub(super) fn normalized(text: &str) -> Result<String, String> {
    let policy: DeliveryPolicy =
        serde_json::from_str(text).map_err(|error| format!("failed to parse JSON. {error}"))?;
    if let Some(retries) = &policy.http.default_healthy_retry_policy {
        check(retries)?;
    }
    let throttle = policy.http.default_throttle_policy.as_ref();
    if throttle.and_then(|throttle| throttle.max_receives_per_second) == Some(0) {
        return Err("throttlePolicy.maxReceivesPerSecond must be 1 or more".to_owned());
    }
    serde_json::to_string(&policy).map_err(|error| error.to_string())
}

fn check(retries: &HealthyRetryPolicy) -> Result<(), String> {
    let min = retries.min_delay_target.unwrap_or(1);
    let max = retries.max_delay_target.unwrap_or(MAX_DELAY_S);
    if min == 0 || max > MAX_DELAY_S || min > max {
        return Err(format!(
            "healthyRetryPolicy.minDelayTarget must be from 1 to healthyRetryPolicy.maxDelayTarget, which must be \
             at most {MAX_DELAY_S}"
        ));
    }
    let total = retries.num_retries.unwrap_or(MAX_RETRIES);
    let phases = [retries.num_no_delay_retries, retries.num_min_delay_retries, retries.num_max_delay_retries];
    let in_phases: u64 = phases.into_iter().flatten().map(u64::from).sum();
    if total > MAX_RETRIES || in_phases > u64::from(total) {
        return Err(format!(
            "healthyRetryPolicy.numRetries must be from 0 to {MAX_RETRIES} and at least the sum of the retries in \
             its phases"
        ));
    }
    Ok(())
}

/// Returns the policy in effect: AWS's defaults, overridden by a policy from [`normalized`].
pub(super) fn effective(own: Option<&str>) -> String {
    let mut policy = json!({"http": {
        "defaultHealthyRetryPolicy": {
            "minDelayTarget": 20,
            "maxDelayTarget": 20,
            "numRetries": 3,
            "numMaxDelayRetries": 0,
            "numNoDelayRetries": 0,
            "numMinDelayRetries": 0,
            "backoffFunction": "linear",
        },
        "disableSubscriptionOverrides": false,
        "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
    }});
    if let Some(Ok(Value::Object(own))) = own.map(serde_json::from_str)
        && let Some(policy) = policy.as_object_mut()
    {
        overwrite(policy, own);
    }
    policy.to_string()
}

fn overwrite(base: &mut Map<String, Value>, own: Map<String, Value>) {
    for (name, value) in own {
        match (base.get_mut(&name), value) {
            (Some(Value::Object(base)), Value::Object(own)) => overwrite(base, own),
            (_, value) => {
                base.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_was_given_is_kept_and_nulls_are_dropped() {
        let policy = r#"{"http": {"defaultHealthyRetryPolicy":
            {"minDelayTarget": 5, "maxDelayTarget": 6, "numRetries": 1}}}"#;
        let policy = normalized(policy).unwrap();
        assert_eq!(
            parsed(&policy),
            json!({"http": {
                "defaultHealthyRetryPolicy": {"minDelayTarget": 5, "maxDelayTarget": 6, "numRetries": 1},
                "disableSubscriptionOverrides": false,
            }})
        );
        let retries = &parsed(&effective(Some(&policy)))["http"]["defaultHealthyRetryPolicy"];
        assert_eq!((&retries["numRetries"], &retries["backoffFunction"]), (&json!(1), &json!("linear")));
        let without = normalized(r#"{"http": {"defaultHealthyRetryPolicy": null}}"#).unwrap();
        assert_eq!(parsed(&without), json!({"http": {"disableSubscriptionOverrides": false}}));
        assert_eq!(effective(Some(&without)), effective(None));
    }

    #[test]
    fn unknown_members_and_values_out_of_range_are_refused() {
        for wrong in [
            "no json",
            r#"{"https": {}}"#,
            r#"{"http": {"retries": {}}}"#,
            r#"{"http": {"defaultHealthyRetryPolicy": {"numRetries": 101}}}"#,
            r#"{"http": {"defaultHealthyRetryPolicy": {"minDelayTarget": 6, "maxDelayTarget": 5}}}"#,
            r#"{"http": {"defaultHealthyRetryPolicy": {"backoffFunction": "random"}}}"#,
            r#"{"http": {"defaultThrottlePolicy": {"maxReceivesPerSecond": 0}}}"#,
        ] {
            assert!(normalized(wrong).is_err(), "{wrong}");
        }
    }
}
