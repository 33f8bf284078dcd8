//! The assumptions of this project about AWS, as docs/telemetry.md lists them.

/// One assumption.
#[derive(Debug)]
pub(super) struct Assumption {
    /// The check's name.
    pub(super) name: &'static str,
    /// The assumption in words.
    pub(super) assumed: &'static str,
    /// The consequence if it does not hold.
    pub(super) otherwise: &'static str,
}

pub(super) const PIPE_DATA_STRING: &str = "pipe-data-string";
pub(super) const PIPE_EVENT: &str = "pipe-event";
pub(super) const PIPE_HEADER: &str = "pipe-header";
pub(super) const BUS_ROOT: &str = "bus-root";
pub(super) const BUS_INVALID_HEADER: &str = "bus-invalid-header";
pub(super) const TOPIC_BATCH_HEADER: &str = "topic-batch-header";
pub(super) const QUEUE_HEADER: &str = "queue-header";
pub(super) const QUEUE_REQUESTS: &str = "queue-requests";
pub(super) const DIRECT_REQUESTS: &str = "direct-requests";
pub(super) const REDRIVE_RECEIVE_COUNT: &str = "redrive-receive-count";
pub(super) const REDRIVE_MOVE_TASK: &str = "redrive-move-task";
pub(super) const MAIL_BOUNCE: &str = "mail-bounce";
pub(super) const TRACE_ANNOTATION: &str = "trace-annotation";
pub(super) const TRACE_ENDED: &str = "trace-ended";
pub(super) const TRACE_DESTINATION: &str = "trace-destination";
pub(super) const KEY_POLICY: &str = "key-policy";
pub(super) const KEY_POLICY_TOPIC: &str = "key-policy-topic";
pub(super) const ALARMS: &str = "alarms";
pub(super) const ROLLBACK: &str = "rollback";
pub(super) const EMF: &str = "emf";

/// Returns the assumptions that a run checks, in the order of the document.
pub(super) fn of_run(full: bool) -> impl Iterator<Item = &'static Assumption> {
    ALL.iter().chain(if full { FULL } else { &[] })
}

/// Every assumption that each run checks.
pub(super) const ALL: &[Assumption] = &[
    Assumption {
        name: PIPE_DATA_STRING,
        assumed: "A Pipe leaves a DynamoDB string that holds JSON as a string",
        otherwise: "Nothing: the envelope's reader takes `data` as a string or an object",
    },
    Assumption {
        name: PIPE_EVENT,
        assumed: "A Pipe's filter takes a marker by its key and by the attribute that only an announcement has; the Pipe \
                  takes source, detail type and every field of the input template from the record, and the event that \
                  comes out reads as the one that was put into the outbox",
        otherwise: "Announcements do not arrive, or arrive on the consumers' dead-letter queues: do not go live",
    },
    Assumption {
        name: PIPE_HEADER,
        assumed: "Neither stream nor Pipe hands on the trace header of the call that wrote the item",
        otherwise: "Nothing: `metadata.trace` decides",
    },
    Assumption {
        name: BUS_ROOT,
        assumed: "A bus may rewrite the Parent of the trace header that it hands to SQS, and keeps its Root",
        otherwise: "Nothing: `metadata.trace` decides. A foreign producer's trace without metadata hangs below the \
                    Parent it arrives with",
    },
    Assumption {
        name: BUS_INVALID_HEADER,
        assumed: "PutEvents takes an entry whose `TraceHeader` is not valid, and drops the header",
        otherwise: "Nothing: the publisher sends only headers that it has written itself",
    },
    Assumption {
        name: TOPIC_BATCH_HEADER,
        assumed: "SNS hands the header of a PublishBatch request to every message of the batch",
        otherwise: "Nothing for this layer's services. Foreign consumers see the header of another entry of the same \
                    trace, or none",
    },
    Assumption {
        name: QUEUE_HEADER,
        assumed: "SQS hands on the `AWSTraceHeader` that a message was sent with, unchanged",
        otherwise: "Nothing for events of this layer. A foreign event starts a new trace",
    },
    Assumption {
        name: QUEUE_REQUESTS,
        assumed: "SQS takes receives and deletes that repeat a request of the SDK with another body and signature",
        otherwise: "Nothing is lost: after five failures the SDK makes all requests of the process, which costs more \
                    processor time",
    },
    Assumption {
        name: DIRECT_REQUESTS,
        assumed: "DynamoDB, EventBridge, SNS and SES take calls that repeat a request of the SDK with another body and signature",
        otherwise: "Nothing is lost: such a call is made again by the SDK, and after five failures all calls are, which \
                    costs more processor time",
    },
    Assumption {
        name: REDRIVE_RECEIVE_COUNT,
        assumed: "A message that SQS moves to the dead-letter queue by its receive count keeps its `AWSTraceHeader` \
                  and its attributes",
        otherwise: "Nothing for events of this layer. A foreign event starts a new trace after a redrive",
    },
    Assumption {
        name: REDRIVE_MOVE_TASK,
        assumed: "A message that SQS moves back (StartMessageMoveTask) keeps them too",
        otherwise: "Nothing for events of this layer. A foreign event starts a new trace after a redrive",
    },
    Assumption {
        name: MAIL_BOUNCE,
        assumed: "SES publishes the bounce of a mail with its tags on the default bus, and the rule's input transformer \
                  makes it an event that reads as one of ours, in the chain and the trace of the mail",
        otherwise: "Reports of bounces do not arrive, or arrive on email's dead-letter queue: mail goes on to addresses \
                    that bounce, until SES's own suppression list stops it",
    },
    Assumption {
        name: TRACE_ANNOTATION,
        assumed: "X-Ray finds a trace that PutTraceSegments was given by its annotation, within a minute or two",
        otherwise: "`foostore trace <event id>` and the searches by annotation above find nothing; look a trace up by \
                    its id, which is on every log line",
    },
    Assumption {
        name: TRACE_ENDED,
        assumed: "A segment that has ended stays so, if the same segment arrives once more as in progress",
        otherwise: "After a delete that failed, or a commit whose response was lost, the trace shows the attempt that had \
                    left its effect as unfinished, although it ended",
    },
    Assumption {
        name: TRACE_DESTINATION,
        assumed: "The account's trace segment destination is X-Ray",
        otherwise: "Where Transaction Search sends segments to CloudWatch Logs, groups and filter expressions see \
                    only the indexed share of traces; raise the indexing percentage or set the destination back \
                    (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Transaction-Search.html>)",
    },
];

/// Every assumption that only a full run checks.
pub(super) const FULL: &[Assumption] = &[
    Assumption {
        name: KEY_POLICY,
        assumed: "EventBridge delivers to a queue that is encrypted with the foundation's key, whose policy admits it by \
                  the ARNs of the environment's rules (`aws:SourceArn`)",
        otherwise: "No event reaches a service: remove the condition from the statement `RulesIntoQueues` of the key policy \
                    before you go live",
    },
    Assumption {
        name: KEY_POLICY_TOPIC,
        assumed: "SNS delivers from an encrypted topic to a queue that is encrypted with the same key, whose policy admits \
                  it by `aws:SourceAccount`",
        otherwise: "No notification reaches email: remove the condition from the statement `TopicsIntoQueues` before you go \
                    live",
    },
    Assumption {
        name: ALARMS,
        assumed: "CloudWatch accepts every alarm in `deploy/`",
        otherwise: "The stack of a service with such an alarm cannot be created",
    },
    Assumption {
        name: ROLLBACK,
        assumed: "A stack of a service's data whose creation fails ends as `ROLLBACK_COMPLETE` and leaves nothing, so that \
                  it can be created again",
        otherwise: "After a creation that failed, delete what it left by hand before the next one: CloudFormation names it",
    },
    Assumption {
        name: EMF,
        assumed: "What the collector writes to the metrics' log group becomes metrics with the dimensions that alarms read, \
                  and counted values have percentiles",
        otherwise: "Alarms about the services' own metrics stay silent; those about queues and the load balancer do not",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_document_lists_each_in_the_same_words() {
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/telemetry.md");
        let document = std::fs::read_to_string(document).unwrap();
        let (_, section) = document.split_once("\n## Assumed of AWS\n").unwrap();
        let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
        let expected: Vec<String> = of_run(true)
            .map(|one| format!("| `{}` | {} | {} |", one.name, one.assumed, one.otherwise))
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = of_run(true).map(|assumption| assumption.name).collect();
        assert_eq!(names.len(), ALL.len() + FULL.len());
    }
}
