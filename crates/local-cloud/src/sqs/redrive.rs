//! Redrive policies: where a queue's dead letters go, and whose dead letters a queue takes (SQS developer guide,
//! "Using dead-letter queues in Amazon SQS").

use serde_json::Value;

use super::errors::{invalid_attribute_value, invalid_parameter, invalid_value};
use crate::reply::AwsError;

const MAX_RECEIVE_COUNT: u32 = 1000;
const MAX_SOURCES: usize = 10;

/// The attribute `RedrivePolicy`.
#[derive(Clone, Debug)]
pub(super) struct RedrivePolicy {
    pub(super) target_arn: String,
    pub(super) max_receive_count: u32,
    /// As it was given, for errors and answers.
    pub(super) text: String,
}

impl PartialEq for RedrivePolicy {
    /// Policies are equal if they mean the same, however they are written.
    fn eq(&self, other: &Self) -> bool {
        (&self.target_arn, self.max_receive_count) == (&other.target_arn, other.max_receive_count)
    }
}

impl RedrivePolicy {
    /// Reads a policy. Whether its queue exists is for [`refused`](Self::refused)'s caller to find out.
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let Ok(Value::Object(policy)) = serde_json::from_str(text) else {
            return Err(invalid_parameter(
                "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
            ));
        };
        for mandatory in ["maxReceiveCount", "deadLetterTargetArn"] {
            if !policy.contains_key(mandatory) {
                return Err(Self::refused(
                    text,
                    format!("Redrive policy does not contain mandatory attribute: {mandatory}."),
                ));
            }
        }
        if policy.len() > 2 {
            return Err(Self::refused(
                text,
                "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].",
            ));
        }
        let count = &policy["maxReceiveCount"];
        let max_receive_count = count
            .as_u64()
            .or_else(|| count.as_str()?.parse().ok())
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| (1..=MAX_RECEIVE_COUNT).contains(count))
            .ok_or_else(|| {
                let given = count.as_str().map_or_else(|| count.to_string(), str::to_owned);
                Self::refused(
                    text,
                    format!(
                        "Invalid value for maxReceiveCount: {given}, valid values are from 1 to \
                         {MAX_RECEIVE_COUNT} both inclusive."
                    ),
                )
            })?;
        let target_arn = policy["deadLetterTargetArn"]
            .as_str()
            .filter(|arn| is_arn(arn))
            .ok_or_else(|| Self::refused(text, "Invalid value for deadLetterTargetArn."))?;
        if !target_arn.starts_with("arn:aws:sqs:") {
            return Err(Self::refused(text, "Only SQS queues are valid resources for deadLetterTargetArn."));
        }
        Ok(Self { target_arn: target_arn.to_owned(), max_receive_count, text: text.to_owned() })
    }

    /// Returns the error for a policy.
    pub(super) fn refused(text: &str, reason: impl std::fmt::Display) -> AwsError {
        invalid_value(text, "RedrivePolicy", reason)
    }
}

fn is_arn(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    matches!(parts[..], ["arn", _, service, _, _, resource] if !service.is_empty() && !resource.is_empty())
}

/// The attribute `RedriveAllowPolicy`: which queues may name this one as their dead-letter queue.
#[derive(Clone, Debug)]
pub(super) struct RedriveAllowPolicy {
    permission: Permission,
    pub(super) text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Permission {
    AllowAll,
    DenyAll,
    ByQueue(Vec<String>),
}

impl PartialEq for RedriveAllowPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.permission == other.permission
    }
}

impl RedriveAllowPolicy {
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let refused = |reason: String| {
            invalid_value(
                text,
                "RedriveAllowPolicy",
                format!("Amazon SQS can't create the redrive allow policy. {reason}"),
            )
        };
        let (permission, sources) = Self::fields(text).ok_or_else(|| {
            invalid_attribute_value(
                "RedriveAllowPolicy",
                "Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.",
            )
        })?;
        let permission = match (permission.as_str(), sources) {
            ("byQueue", Some(sources)) if sources.len() > MAX_SOURCES => {
                return Err(refused(format!(
                    "The maximum number of source queue ARNs you can specify is {MAX_SOURCES}."
                )));
            }
            ("byQueue", Some(sources)) if !sources.is_empty() => Permission::ByQueue(sources),
            ("byQueue", _) => {
                return Err(refused(
                    "When you specify the byQueue permission type, you must also specify one or more \
                     sourceQueueArns values."
                        .to_owned(),
                ));
            }
            (_, Some(_)) => {
                return Err(refused(
                    "To specify one or more source queue ARNs, you must set redrivePermission to byQueue."
                        .to_owned(),
                ));
            }
            ("denyAll", None) => Permission::DenyAll,
            (_, None) => Permission::AllowAll,
        };
        Ok(Self { permission, text: text.to_owned() })
    }

    /// Returns the permission and the source queues, or `None` if the policy is not of the documented form.
    fn fields(text: &str) -> Option<(String, Option<Vec<String>>)> {
        let policy: Value = serde_json::from_str(text).ok()?;
        let policy = policy.as_object()?;
        if policy.keys().any(|key| !matches!(key.as_str(), "redrivePermission" | "sourceQueueArns")) {
            return None;
        }
        let permission = policy.get("redrivePermission")?.as_str()?;
        if !matches!(permission, "allowAll" | "denyAll" | "byQueue") {
            return None;
        }
        let sources = match policy.get("sourceQueueArns") {
            None => None,
            Some(sources) => Some(
                sources
                    .as_array()?
                    .iter()
                    .map(|arn| arn.as_str().map(str::to_owned))
                    .collect::<Option<Vec<_>>>()?,
            ),
        };
        Some((permission.to_owned(), sources))
    }

    pub(super) fn allows(&self, source_arn: &str) -> bool {
        match &self.permission {
            Permission::AllowAll => true,
            Permission::DenyAll => false,
            Permission::ByQueue(sources) => sources.iter().any(|arn| arn == source_arn),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        RedrivePolicy::parse(text).unwrap_err().message
    }

    #[test]
    fn policies_are_compared_by_meaning() {
        let number = r#"{"maxReceiveCount": 3, "deadLetterTargetArn":"arn:aws:sqs:r:1:d"}"#;
        let text = r#"{"deadLetterTargetArn":"arn:aws:sqs:r:1:d","maxReceiveCount":"3"}"#;
        assert_eq!(RedrivePolicy::parse(number).unwrap(), RedrivePolicy::parse(text).unwrap());
    }

    #[test]
    fn a_redrive_policy_names_a_queue_and_a_count() {
        assert!(reason(" ").ends_with("Redrive policy is not a valid JSON map."));
        assert!(reason("[]").ends_with("Redrive policy is not a valid JSON map."));
        assert_eq!(
            reason("{}"),
            "Value {} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain mandatory \
             attribute: maxReceiveCount."
        );
        assert!(reason(r#"{"maxReceiveCount":5}"#).ends_with("mandatory attribute: deadLetterTargetArn."));
        assert_eq!(
            reason(r#"{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}"#),
            r#"Value {"deadLetterTargetArn": "dummy", "maxReceiveCount": 42} for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn."#
        );
        for (count, named) in [("0", "0"), ("1001", "1001"), ("\"invalid\"", "invalid"), ("-1", "-1")] {
            let text = format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:r:1:d","maxReceiveCount":{count}}}"#);
            assert!(
                reason(&text).ends_with(&format!(
                    "Invalid value for maxReceiveCount: {named}, valid values are from 1 to 1000 both inclusive."
                )),
                "{count}"
            );
        }
    }

    #[test]
    fn an_allow_policy_allows_all_none_or_some() {
        let parse = |text: &str| RedriveAllowPolicy::parse(text);
        assert!(parse(r#"{"redrivePermission":"allowAll"}"#).unwrap().allows("a"));
        assert!(!parse(r#"{"redrivePermission":"denyAll"}"#).unwrap().allows("a"));
        let some = parse(r#"{"redrivePermission":"byQueue","sourceQueueArns":["a"]}"#).unwrap();
        assert!(some.allows("a") && !some.allows("b"));
        for text in [
            "badjson",
            "[]",
            "{}",
            r#"{"redrivePermission":"dummy"}"#,
            r#"{"redrivePermission":"allowAll","dummy":1}"#,
            r#"{"redrivePermission":"byQueue"}"#,
            r#"{"redrivePermission":"byQueue","sourceQueueArns":[]}"#,
            r#"{"redrivePermission":"allowAll","sourceQueueArns":["a"]}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
