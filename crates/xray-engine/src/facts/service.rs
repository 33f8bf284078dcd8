//! Which node of the service map a segment or a call belongs to.

use std::sync::Arc;

use serde_json::{Value, json};
use xray::{Aws, Node, Segment};

/// AWS services that pass on messages. What they deliver to does not take their place: both are nodes.
const MESSAGING: [&str; 8] =
    ["EventBridge", "Events", "SNS", "SQS", "Kinesis", "DynamoDB Streams", "Scheduler", "Pipes"];

/// The type of what is called and is no AWS resource.
pub(super) const REMOTE: &str = "remote";

/// AWS services as they are shown. X-Ray's SDK for Python names them by the prefix of their endpoint, in lower case
/// (`aws_xray_sdk.ext.botocore`); other senders by the name that is shown.
const SHOWN: [&str; 10] =
    ["DynamoDB", "EventBridge", "Events", "Kinesis", "KMS", "Lambda", "S3", "SecretsManager", "SNS", "SQS"];

/// A node of the service map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId {
    /// The name.
    pub name: Arc<str>,
    /// The type: where a service runs, which kind of AWS resource it is, or `remote`.
    pub kind: Option<Arc<str>>,
    /// The account.
    pub account_id: Option<Arc<str>>,
}

impl ServiceId {
    /// Returns the service that sent a segment.
    pub(super) fn of_segment(segment: &Segment) -> Self {
        Self {
            name: segment.name.as_str().into(),
            kind: segment.origin.as_deref().map(Arc::from),
            account_id: account(segment),
        }
    }

    /// Returns the service that a call went to, as far as the call tells. Tables and queues are nodes of their own, as in
    /// the guide's example of a service graph
    /// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-gettingdata.html>).
    pub(super) fn of_call(segment: &Segment) -> Self {
        let account_id = account(segment);
        let node = |name: &str, kind: &str| Self { name: name.into(), kind: Some(kind.into()), account_id };
        match (segment.namespace.as_deref(), shown(&segment.name), segment.aws.as_ref()) {
            (Some("aws"), "DynamoDB", Some(Aws { table_name: Some(table), .. })) => {
                node(table, "AWS::DynamoDB::Table")
            }
            (Some("aws"), "SQS", Some(Aws { queue_url: Some(url), .. })) => {
                let name = url.rsplit('/').next().unwrap_or(url);
                node(name, "AWS::SQS::Queue")
            }
            (Some("aws"), name, _) => node(name, &format!("AWS::{name}")),
            _ => node(&segment.name, REMOTE),
        }
    }

    /// Returns the service as the API writes it. A service that did not say where it runs has no type.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut id = json!({"Name": &*self.name, "Names": [&*self.name]});
        if let Some(account_id) = &self.account_id {
            id["AccountId"] = Value::from(&**account_id);
        }
        if let Some(kind) = &self.kind {
            id["Type"] = Value::from(&**kind);
        }
        id
    }
}

fn account(segment: &Segment) -> Option<Arc<str>> {
    segment.aws.as_ref()?.account_id.as_deref().map(Arc::from)
}

/// Whether a subsegment is the call of another service. X-Ray's SDKs write a third namespace, `local`, for work within the
/// service.
pub(super) fn is_call(node: Node<'_>) -> bool {
    node.is_subsegment() && matches!(node.segment().namespace.as_deref(), Some("aws" | "remote"))
}

/// Whether a call goes to a service that passes on messages.
pub(super) fn is_message(segment: &Segment) -> bool {
    segment.namespace.as_deref() == Some("aws") && MESSAGING.contains(&shown(&segment.name))
}

/// Returns the name of an AWS service as it is shown.
fn shown(name: &str) -> &str {
    SHOWN.into_iter().find(|shown| shown.eq_ignore_ascii_case(name)).unwrap_or(name)
}

/// Whether a call is all that is known of the service called. A segment of that service takes the call's place.
pub(super) fn is_inferred(call: Node<'_>) -> bool {
    is_message(call.segment()) || call.children().all(Node::is_subsegment)
}
