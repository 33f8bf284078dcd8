//! The attributes of topics: which there are, and which values they take (SNS API reference, `SetTopicAttributes`).

use serde_json::{Map, Value, json};

use super::delivery_policy;
use super::errors::{Given, unsupported};
use crate::reply::AwsError;

pub(super) const DELIVERY_POLICY: &str = "DeliveryPolicy";
pub(super) const FIFO_TOPIC: &str = "FifoTopic";
pub(super) const CONTENT_BASED_DEDUPLICATION: &str = "ContentBasedDeduplication";
pub(super) const FIFO_THROUGHPUT_SCOPE: &str = "FifoThroughputScope";
pub(super) const SIGNATURE_VERSION: &str = "SignatureVersion";

const MAX_DISPLAY_NAME: usize = 100;
const MAX_POLICY_BYTES: usize = 30 * 1024;
const MAX_KEY_BYTES: usize = 2048;

/// Checks an attribute and returns its name and its value as it is kept; none removes the attribute.
pub(super) fn checked(
    name: &str,
    value: &str,
    fifo: bool,
    given: Given,
) -> Result<(&'static str, Option<String>), AwsError> {
    match name {
        "DisplayName" => {
            check(value.chars().count() <= MAX_DISPLAY_NAME, given, "DisplayName")?;
            Ok(("DisplayName", Some(value.to_owned())))
        }
        "Policy" => {
            check_policy(value, given)?;
            Ok(("Policy", Some(value.to_owned())))
        }
        DELIVERY_POLICY if value.is_empty() => Ok((DELIVERY_POLICY, None)),
        DELIVERY_POLICY => {
            let policy = delivery_policy::normalized(value)
                .map_err(|reason| given.invalid(format!("{DELIVERY_POLICY}: {reason}")))?;
            Ok((DELIVERY_POLICY, Some(policy)))
        }
        "KmsMasterKeyId" => {
            check(value.len() <= MAX_KEY_BYTES, given, "KmsMasterKeyId")?;
            Ok(("KmsMasterKeyId", Some(value.to_owned()).filter(|key| !key.is_empty())))
        }
        SIGNATURE_VERSION => one_of(SIGNATURE_VERSION, value, &["1", "2"], given),
        "TracingConfig" if value == "Active" => Err(unsupported(
            "TracingConfig",
            "topics that trace themselves; PassThrough passes trace headers on",
        )),
        "TracingConfig" => one_of("TracingConfig", value, &["PassThrough", "Active"], given),
        FIFO_TOPIC if given == Given::OnCreation => {
            let (name, value) = one_of(FIFO_TOPIC, value, &["true", "false"], given)?;
            Ok((name, value.filter(|value| value == "true")))
        }
        CONTENT_BASED_DEDUPLICATION if fifo => {
            one_of(CONTENT_BASED_DEDUPLICATION, value, &["true", "false"], given)
        }
        FIFO_THROUGHPUT_SCOPE if fifo => {
            one_of(FIFO_THROUGHPUT_SCOPE, value, &["Topic", "MessageGroup"], given)
        }
        "ArchivePolicy" if fifo => Err(unsupported("ArchivePolicy", "the archive of a FIFO topic")),
        _ if is_feedback(name) => Err(unsupported(name, "delivery status logs")),
        _ => Err(match given {
            Given::OnCreation => given.invalid(format!("Unknown attribute {name}")),
            Given::Alone => given.invalid("AttributeName"),
        }),
    }
}

/// The attributes for delivery status logs: `<Protocol>SuccessFeedbackRoleArn` and two others for each protocol.
fn is_feedback(name: &str) -> bool {
    let protocols = ["Application", "Firehose", "HTTP", "Lambda", "SQS"];
    let suffixes = ["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"];
    suffixes
        .into_iter()
        .filter_map(|suffix| name.strip_suffix(suffix))
        .any(|protocol| protocols.contains(&protocol))
}

fn check(fits: bool, given: Given, name: &str) -> Result<(), AwsError> {
    if fits { Ok(()) } else { Err(given.invalid(name)) }
}

fn one_of(
    name: &'static str,
    value: &str,
    values: &[&str],
    given: Given,
) -> Result<(&'static str, Option<String>), AwsError> {
    if values.contains(&value) {
        return Ok((name, Some(value.to_owned())));
    }
    Err(given.invalid(format!("{name}: Invalid value [{value}]. Must be {}.", values.join(" or "))))
}

/// Checks that a policy is a JSON object with statements. The local cloud has no callers to grant anything to, so it is
/// kept and returned only.
fn check_policy(policy: &str, given: Given) -> Result<(), AwsError> {
    if policy.is_empty() {
        return Err(given.invalid("Policy is empty"));
    }
    if policy.len() > MAX_POLICY_BYTES {
        return Err(given.invalid("Policy is too long"));
    }
    let policy: Map<String, Value> =
        serde_json::from_str(policy).map_err(|_| given.invalid("Policy Error: malformed JSON"))?;
    let statements = policy.get("Statement").is_some_and(|it| it.is_array() || it.is_object());
    check(statements, given, "Policy statement is missing")
}

/// Returns the policy of a topic that was given none: its owner may do everything.
pub(super) fn default_policy(arn: &str, owner: &str) -> String {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ];
    let policy = json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": actions.map(|action| format!("SNS:{action}")),
            "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": owner}},
        }],
    });
    policy.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, value: &str, fifo: bool, given: Given) -> String {
        checked(name, value, fifo, given).unwrap_err().message
    }

    #[test]
    fn what_makes_a_topic_fifo_is_given_on_creation_only() {
        let set = |given| checked(FIFO_TOPIC, "true", true, given);
        assert_eq!(set(Given::OnCreation).unwrap(), (FIFO_TOPIC, Some("true".to_owned())));
        assert_eq!(set(Given::Alone).unwrap_err().message, "Invalid parameter: AttributeName");
        assert_eq!(checked(FIFO_TOPIC, "false", false, Given::OnCreation).unwrap(), (FIFO_TOPIC, None));
    }

    #[test]
    fn attributes_of_fifo_topics_are_unknown_to_others() {
        for name in [CONTENT_BASED_DEDUPLICATION, FIFO_THROUGHPUT_SCOPE, "ArchivePolicy", "Foo"] {
            assert_eq!(
                refusal(name, "true", false, Given::OnCreation),
                format!("Invalid parameter: Attributes Reason: Unknown attribute {name}")
            );
            assert_eq!(refusal(name, "true", false, Given::Alone), "Invalid parameter: AttributeName");
        }
        assert!(checked(CONTENT_BASED_DEDUPLICATION, "true", true, Given::Alone).is_ok());
        assert!(checked(FIFO_THROUGHPUT_SCOPE, "Queue", true, Given::Alone).is_err());
    }

    #[test]
    fn what_would_have_no_effect_here_is_refused_by_name() {
        for (name, value) in [
            ("SQSSuccessFeedbackRoleArn", "arn:aws:iam::0:role/r"),
            ("HTTPFailureFeedbackRoleArn", "arn:aws:iam::0:role/r"),
            ("TracingConfig", "Active"),
            ("ArchivePolicy", "{}"),
        ] {
            assert!(refusal(name, value, true, Given::Alone).contains("does not support"), "{name}");
        }
        assert_eq!(
            refusal("FooSuccessFeedbackRoleArn", "x", false, Given::Alone),
            "Invalid parameter: AttributeName"
        );
    }

    #[test]
    fn values_are_checked() {
        for (name, value) in [
            ("DisplayName", "x".repeat(101).as_str()),
            ("SignatureVersion", "3"),
            ("TracingConfig", "active"),
            ("Policy", ""),
            ("Policy", "{}"),
            ("Policy", "no json"),
            ("DeliveryPolicy", "no json"),
        ] {
            assert!(checked(name, value, false, Given::Alone).is_err(), "{name} {value}");
        }
        let policy = default_policy("arn", "0");
        assert!(checked("Policy", &policy, false, Given::Alone).is_ok());
    }
}
