//! The attributes of a queue (API reference, `CreateQueue` and `SetQueueAttributes`).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::errors::{invalid_attribute_name, invalid_attribute_value, unknown_attribute};
use super::redrive::{RedriveAllowPolicy, RedrivePolicy};
use crate::reply::AwsError;

/// The largest message, in bytes; also the largest batch.
pub(super) const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// The longest visibility timeout, in seconds.
pub(super) const MAX_VISIBILITY: u32 = 43_200;
/// The longest delay, in seconds.
pub(super) const MAX_DELAY: u32 = 900;
/// The longest poll, in seconds.
pub(super) const MAX_WAIT: u32 = 20;
const MAX_POLICY_BYTES: usize = 64 * 1024;

/// Attributes as a request gives them. A null counts as absent, as on AWS.
pub(super) type Given = BTreeMap<String, Option<String>>;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attributes {
    pub(super) fifo: Option<FifoAttributes>,
    visibility: u32,
    delay: u32,
    pub(super) max_message_bytes: usize,
    retention: u32,
    wait: u32,
    pub(super) policy: Option<String>,
    pub(super) redrive: Option<RedrivePolicy>,
    pub(super) redrive_allow: Option<RedriveAllowPolicy>,
    kms_key: Option<String>,
    kms_period: Option<u32>,
    managed_sse: bool,
}

/// The attributes that only FIFO queues have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FifoAttributes {
    pub(super) content_based_deduplication: bool,
    /// Whether deduplication ids count for each message group rather than for the queue.
    pub(super) deduplication_by_group: bool,
    throughput_by_group: bool,
}

impl Attributes {
    /// Returns the attributes of a new queue.
    pub(super) fn new(fifo: bool) -> Self {
        Self {
            fifo: fifo.then(FifoAttributes::default),
            visibility: 30,
            delay: 0,
            max_message_bytes: MAX_MESSAGE_BYTES,
            retention: 345_600,
            wait: 0,
            policy: None,
            redrive: None,
            redrive_allow: None,
            kms_key: None,
            kms_period: None,
            managed_sse: true,
        }
    }

    pub(super) fn visibility(&self) -> Duration {
        seconds(self.visibility)
    }

    pub(super) fn delay(&self) -> Duration {
        seconds(self.delay)
    }

    pub(super) fn retention(&self) -> Duration {
        seconds(self.retention)
    }

    pub(super) fn wait(&self) -> Duration {
        seconds(self.wait)
    }

    /// Applies the attributes of a request. The queue that a redrive policy names is not looked up here.
    pub(super) fn apply(&mut self, given: &Given) -> Result<(), AwsError> {
        for (name, value) in given {
            if let Some(value) = value {
                self.set(name, value)?;
            }
        }
        let is_given = |name: &str| given.get(name).is_some_and(|value| value.is_some());
        if self.kms_key.is_some() && self.managed_sse {
            if is_given("SqsManagedSseEnabled") && is_given("KmsMasterKeyId") {
                return Err(invalid_attribute_name(
                    "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE \
                     or SQS SSE.",
                ));
            }
            // The newer setting replaces the other.
            if is_given("SqsManagedSseEnabled") {
                self.kms_key = None;
                self.kms_period = None;
            } else {
                self.managed_sse = false;
            }
        }
        if self.fifo.is_some_and(|fifo| fifo.throughput_by_group && !fifo.deduplication_by_group) {
            return Err(invalid_attribute_value(
                "FifoThroughputLimit",
                "The value perMessageGroupId is allowed only if the value of DeduplicationScope is messageGroup.",
            ));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), AwsError> {
        match name {
            "VisibilityTimeout" => self.visibility = number(name, value, 0..=MAX_VISIBILITY)?,
            "DelaySeconds" => self.delay = number(name, value, 0..=MAX_DELAY)?,
            "MaximumMessageSize" => {
                let most = u32::try_from(MAX_MESSAGE_BYTES).unwrap_or(u32::MAX);
                self.max_message_bytes = usize::try_from(number(name, value, 1024..=most)?).unwrap_or(0);
            }
            "MessageRetentionPeriod" => self.retention = number(name, value, 60..=1_209_600)?,
            "ReceiveMessageWaitTimeSeconds" => self.wait = number(name, value, 0..=MAX_WAIT)?,
            "Policy" => self.policy = policy(value)?,
            "RedrivePolicy" => self.redrive = optional(value, RedrivePolicy::parse)?,
            "RedriveAllowPolicy" => self.redrive_allow = optional(value, RedriveAllowPolicy::parse)?,
            "KmsMasterKeyId" => self.kms_key = (!value.is_empty()).then(|| value.to_owned()),
            "KmsDataKeyReusePeriodSeconds" => self.kms_period = Some(number(name, value, 60..=86_400)?),
            "SqsManagedSseEnabled" => self.managed_sse = boolean(name, value)?,
            name => match &mut self.fifo {
                Some(fifo) => fifo.set(name, value)?,
                None if matches!(name, "DeduplicationScope" | "FifoThroughputLimit") => {
                    return Err(invalid_attribute_name(format!(
                        "You can specify the {name} only when FifoQueue is set to true."
                    )));
                }
                None => return Err(unknown_attribute(name)),
            },
        }
        Ok(())
    }

    /// Returns the value of an attribute that a request can set.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        match name {
            "VisibilityTimeout" => Some(self.visibility.to_string()),
            "DelaySeconds" => Some(self.delay.to_string()),
            "MaximumMessageSize" => Some(self.max_message_bytes.to_string()),
            "MessageRetentionPeriod" => Some(self.retention.to_string()),
            "ReceiveMessageWaitTimeSeconds" => Some(self.wait.to_string()),
            "Policy" => self.policy.clone(),
            "RedrivePolicy" => self.redrive.as_ref().map(|policy| policy.text.clone()),
            "RedriveAllowPolicy" => self.redrive_allow.as_ref().map(|policy| policy.text.clone()),
            "KmsMasterKeyId" => self.kms_key.clone(),
            "KmsDataKeyReusePeriodSeconds" => {
                self.kms_key.as_ref().map(|_| self.kms_period.unwrap_or(300).to_string())
            }
            "SqsManagedSseEnabled" => Some(self.managed_sse.to_string()),
            name => self.fifo.and_then(|fifo| fifo.get(name)),
        }
    }

    /// Returns the first attribute of a request that differs from these.
    pub(super) fn difference(&self, given: &Given) -> Result<Option<String>, AwsError> {
        let mut wanted = self.clone();
        wanted.apply(given)?;
        Ok(given
            .keys()
            .find(|name| match name.as_str() {
                "RedrivePolicy" => wanted.redrive != self.redrive,
                "RedriveAllowPolicy" => wanted.redrive_allow != self.redrive_allow,
                "Policy" => json(wanted.policy.as_deref()) != json(self.policy.as_deref()),
                name => wanted.get(name) != self.get(name),
            })
            .cloned())
    }
}

impl FifoAttributes {
    fn set(&mut self, name: &str, value: &str) -> Result<(), AwsError> {
        match name {
            "FifoQueue" if boolean(name, value)? => {}
            "FifoQueue" => {
                return Err(invalid_attribute_value(name, "Modifying queue type is not supported."));
            }
            "ContentBasedDeduplication" => self.content_based_deduplication = boolean(name, value)?,
            "DeduplicationScope" => {
                self.deduplication_by_group = one_of(name, value, "queue", "messageGroup")?;
            }
            "FifoThroughputLimit" => {
                self.throughput_by_group = one_of(name, value, "perQueue", "perMessageGroupId")?;
            }
            _ => return Err(unknown_attribute(name)),
        }
        Ok(())
    }

    fn get(self, name: &str) -> Option<String> {
        let value = match name {
            "FifoQueue" => "true",
            "ContentBasedDeduplication" if self.content_based_deduplication => "true",
            "ContentBasedDeduplication" => "false",
            "DeduplicationScope" if self.deduplication_by_group => "messageGroup",
            "DeduplicationScope" => "queue",
            "FifoThroughputLimit" if self.throughput_by_group => "perMessageGroupId",
            "FifoThroughputLimit" => "perQueue",
            _ => return None,
        };
        Some(value.to_owned())
    }
}

/// The attributes that a request can set, in the order in which `All` lists them.
pub(super) const SETTABLE: [&str; 15] = [
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "Policy",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
];

fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}

fn number(name: &str, value: &str, range: RangeInclusive<u32>) -> Result<u32, AwsError> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value
        .parse()
        .ok()
        .filter(|number| digits && range.contains(number))
        .ok_or_else(|| invalid_attribute_value(name, ""))
}

fn boolean(name: &str, value: &str) -> Result<bool, AwsError> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid_attribute_value(name, "")),
    }
}

/// Returns whether the value is the second of the two allowed.
fn one_of(name: &str, value: &str, first: &str, second: &str) -> Result<bool, AwsError> {
    match value {
        value if value == first => Ok(false),
        value if value == second => Ok(true),
        _ => Err(invalid_attribute_value(name, "")),
    }
}

/// Returns `None` for an empty value, which removes the attribute.
fn optional<T>(value: &str, parse: impl FnOnce(&str) -> Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    if value.is_empty() { Ok(None) } else { parse(value).map(Some) }
}

fn policy(value: &str) -> Result<Option<String>, AwsError> {
    if value.is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(value) {
        Ok(Value::Object(_)) if value.len() <= MAX_POLICY_BYTES => Ok(Some(value.to_owned())),
        _ => Err(invalid_attribute_value("Policy", "")),
    }
}

fn json(text: Option<&str>) -> Option<Value> {
    serde_json::from_str(text?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: &[(&str, &str)]) -> Given {
        values.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
    }

    fn refused(fifo: bool, values: &[(&str, &str)]) -> (String, String) {
        let error = Attributes::new(fifo).apply(&given(values)).unwrap_err();
        (error.shown_code().to_owned(), error.message)
    }

    #[test]
    fn numbers_are_within_their_ranges() {
        for (name, values) in [
            ("VisibilityTimeout", ["-1", "43201", "", " 2", "2.5", "+2"].as_slice()),
            ("DelaySeconds", &["901"]),
            ("MaximumMessageSize", &["1023", "1048577"]),
            ("MessageRetentionPeriod", &["59", "1209601"]),
            ("ReceiveMessageWaitTimeSeconds", &["21"]),
            ("KmsDataKeyReusePeriodSeconds", &["59", "86401"]),
        ] {
            for value in values {
                let (code, message) = refused(false, &[(name, value)]);
                assert_eq!(code, "InvalidAttributeValue");
                assert_eq!(message, format!("Invalid value for the parameter {name}."));
            }
        }
    }

    #[test]
    fn attributes_of_fifo_queues_are_refused_elsewhere() {
        for name in
            ["FifoQueue", "ContentBasedDeduplication", "QueueArn", "CreatedTimestamp", "Foobar", "All"]
        {
            let expected = ("InvalidAttributeName".to_owned(), format!("Unknown Attribute {name}."));
            assert_eq!(refused(false, &[(name, "true")]), expected);
        }
        let (code, message) = refused(false, &[("DeduplicationScope", "queue")]);
        assert_eq!(code, "InvalidAttributeName");
        assert_eq!(message, "You can specify the DeduplicationScope only when FifoQueue is set to true.");
        let (code, message) = refused(true, &[("FifoQueue", "false")]);
        assert_eq!(code, "InvalidAttributeValue");
        assert!(message.ends_with("Modifying queue type is not supported."));
    }

    #[test]
    fn one_kind_of_encryption_at_a_time() {
        let mut attributes = Attributes::new(false);
        assert_eq!(attributes.get("KmsDataKeyReusePeriodSeconds"), None);
        attributes.apply(&given(&[("KmsMasterKeyId", "key")])).unwrap();
        assert_eq!(attributes.get("SqsManagedSseEnabled").as_deref(), Some("false"));
        assert_eq!(attributes.get("KmsDataKeyReusePeriodSeconds").as_deref(), Some("300"));
        let both = [("KmsMasterKeyId", "key"), ("SqsManagedSseEnabled", "true")];
        assert_eq!(refused(false, &both).0, "InvalidAttributeName");
    }

    #[test]
    fn only_given_attributes_are_compared() {
        let mut attributes = Attributes::new(false);
        attributes.apply(&given(&[("DelaySeconds", "1"), ("VisibilityTimeout", "69")])).unwrap();
        assert_eq!(attributes.difference(&given(&[])), Ok(None));
        assert_eq!(attributes.difference(&given(&[("DelaySeconds", "1")])), Ok(None));
        let different = attributes.difference(&given(&[("DelaySeconds", "2")]));
        assert_eq!(different, Ok(Some("DelaySeconds".to_owned())));
    }
}
