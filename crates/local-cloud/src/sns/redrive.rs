//! A subscription's redrive policy: the queue that receives what could not be delivered.

use serde_json::Value;

use super::arn::{self, Home};
use super::errors::{Given, unsupported};
use crate::reply::AwsError;

/// A checked policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redrive {
    /// As it was given.
    pub(super) text: String,
    /// The ARN of the dead-letter queue.
    pub(super) queue: String,
}

impl Redrive {
    /// Reads a policy. `fifo`: whether a FIFO queue subscribes to a FIFO topic.
    pub(super) fn parse(text: &str, home: &Home, fifo: bool, given: Given) -> Result<Self, AwsError> {
        let invalid = |reason: &str| given.invalid(format!("RedrivePolicy: {reason}"));
        let policy: Value =
            serde_json::from_str(text).map_err(|error| invalid(&format!("failed to parse JSON. {error}")))?;
        let queue = policy
            .get("deadLetterTargetArn")
            .and_then(Value::as_str)
            .filter(|queue| arn::is_queue(queue))
            .ok_or_else(|| invalid("deadLetterTargetArn is an invalid arn"))?;
        if policy.as_object().is_some_and(|members| members.len() > 1) {
            return Err(invalid("unexpected member beside deadLetterTargetArn"));
        }
        if !home.owns_queue(queue) {
            return Err(unsupported("RedrivePolicy", "queues of other accounts and regions"));
        }
        if fifo && !arn::is_fifo(queue) {
            return Err(invalid("must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."));
        }
        if !fifo && arn::is_fifo(queue) {
            return Err(invalid("must use a standard queue as DLQ for a standard Subscription."));
        }
        Ok(Self { text: text.to_owned(), queue: queue.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, fifo: bool) -> Result<Redrive, AwsError> {
        let home = Home {
            region: "eu-central-1".to_owned(),
            account: "000000000000".to_owned(),
            queue_region: "eu-central-1".to_owned(),
        };
        Redrive::parse(text, &home, fifo, Given::Alone)
    }

    fn policy(queue: &str) -> String {
        format!(r#"{{"deadLetterTargetArn": "{queue}"}}"#)
    }

    fn refusal(text: &str, fifo: bool) -> String {
        parse(text, fifo).unwrap_err().message
    }

    #[test]
    fn the_target_is_a_queue_of_the_same_kind() {
        let (standard, fifo) =
            ("arn:aws:sqs:eu-central-1:000000000000:q", "arn:aws:sqs:eu-central-1:000000000000:q.fifo");
        assert_eq!(parse(&policy(standard), false).unwrap().queue, standard);
        assert_eq!(parse(&policy(fifo), true).unwrap().queue, fifo);
        assert_eq!(
            refusal(&policy(standard), true),
            "Invalid parameter: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
        );
        assert!(refusal(&policy(fifo), false).contains("standard queue"));
    }

    #[test]
    fn what_is_no_queue_is_refused() {
        let invalid = "Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn";
        for text in [&policy("fake-arn"), &policy("arn:aws:sns:eu-central-1:000000000000:t"), "{}", "[]"] {
            assert_eq!(refusal(text, false), invalid);
        }
        assert!(
            refusal("{invalidjson}", false)
                .starts_with("Invalid parameter: RedrivePolicy: failed to parse JSON.")
        );
        let other = policy("arn:aws:sqs:eu-west-1:000000000000:q");
        assert!(refusal(&other, false).contains("does not support"));
    }
}
