//! The resource model that a topology becomes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::storage::{BucketResource, KeyResource};
use crate::{Index, Parameter, TableAccess, Transformer};

/// Everything the services need in AWS, by physical name.
#[derive(Clone, Debug)]
pub struct Resources {
    /// The application, first part of every name.
    pub application: String,
    /// The environment, second part of every name.
    pub environment: String,
    /// The event bus.
    pub bus: String,
    /// Queues; a dead-letter queue precedes the queue that refers to it.
    pub queues: Vec<Queue>,
    /// Rules of the bus, and of the account's default bus.
    pub rules: Vec<Rule>,
    /// SNS topics.
    pub topics: Vec<TopicResource>,
    /// Subscriptions of queues to topics.
    pub subscriptions: Vec<TopicSubscription>,
    /// DynamoDB tables.
    pub tables: Vec<TableResource>,
    /// Pipes from a table's stream to the bus.
    pub pipes: Vec<Pipe>,
    /// Buckets of S3.
    pub buckets: Vec<BucketResource>,
    /// Keys of KMS that services encrypt with themselves.
    pub keys: Vec<KeyResource>,
    /// The address mail is sent from, if a service sends any.
    pub email_sender: Option<String>,
    /// SES's configuration sets.
    pub configuration_sets: Vec<ConfigurationSet>,
    /// Each service's share of the resources, in the order the services were added.
    pub services: Vec<ServiceResources>,
}

/// An SQS queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Physical name.
    pub name: String,
    /// Seconds a received message stays invisible.
    pub visibility_timeout_s: u32,
    /// Seconds a message is kept.
    pub retention_s: u32,
    /// The redrive policy for messages received too often.
    pub dead_letter: Option<DeadLetter>,
    /// The senders besides its owner.
    pub senders: Vec<Sender>,
}

/// A queue's redrive policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Physical name of the dead-letter queue.
    pub queue: String,
    /// Receives after which SQS moves a message.
    pub max_receive_count: u32,
}

/// An AWS service that may send to a queue on behalf of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A rule of the bus, by physical name.
    Rule(String),
    /// A rule of the account's default bus, by physical name.
    DefaultBusRule(String),
    /// A topic, by physical name.
    Topic(String),
}

/// The bus of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleBus {
    /// The application's.
    Own,
    /// The account's, where AWS's services publish.
    Default,
}

impl RuleBus {
    /// The name of every account's default bus.
    pub const DEFAULT: &str = "default";

    /// Returns the bus's name; `own` is that of the application's.
    #[must_use]
    pub fn name(self, own: &str) -> &str {
        match self {
            Self::Own => own,
            Self::Default => Self::DEFAULT,
        }
    }
}

/// A rule with one queue as its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Physical name.
    pub name: String,
    /// The bus whose events it matches.
    pub bus: RuleBus,
    /// The event pattern.
    pub pattern: Value,
    /// What it delivers, if not the event as it is.
    pub transformer: Option<Transformer>,
    /// Physical name of the queue it delivers to.
    pub target_queue: String,
    /// Physical name of the queue for events it could not deliver.
    pub dead_letter_queue: String,
    /// Seconds after which delivery of an event is given up.
    pub maximum_event_age_s: u32,
    /// Tries after which delivery of an event is given up.
    pub maximum_retry_attempts: u32,
}

impl Rule {
    /// Returns whether it delivers events of the type with this name: those that it names, or all if it names none.
    #[must_use]
    pub fn delivers(&self, event_type: &str) -> bool {
        match self.pattern["detail-type"].as_array() {
            Some(types) => types.iter().any(|name| name == event_type),
            None => true,
        }
    }
}

/// A configuration set of SES with one event destination: the account's default bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationSet {
    /// Physical name.
    pub name: String,
    /// The types of events it publishes, as SES's API names them.
    pub event_types: Vec<String>,
}

impl ConfigurationSet {
    /// The name of the event destination.
    pub const DESTINATION: &str = "default-bus";
}

/// An SNS topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicResource {
    /// Physical name.
    pub name: String,
}

/// A queue's subscription to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSubscription {
    /// Physical name of the topic.
    pub topic: String,
    /// Physical name of the queue.
    pub queue: String,
    /// The filter policy over message attributes; absent means every message.
    pub filter_policy: Option<Value>,
    /// Physical name of the queue for messages that SNS could not deliver.
    pub dead_letter_queue: String,
}

/// A DynamoDB table with a string partition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableResource {
    /// Physical name.
    pub name: String,
    /// Partition key attribute.
    pub partition_key: String,
    /// TTL attribute.
    pub expires_at: Option<String>,
    /// Its indexes.
    pub indexes: Vec<IndexResource>,
    /// Whether it has a stream, of [`TableResource::STREAM_VIEW_TYPE`].
    pub stream: bool,
    /// Whether its owner sweeps what falls due in it.
    pub swept: bool,
    /// What its owner does with its items.
    pub access: Vec<TableAccess>,
}

impl TableResource {
    /// What a stream's records hold, as DynamoDB names it.
    pub const STREAM_VIEW_TYPE: &str = "NEW_IMAGE";

    /// Returns the attributes that are keys of the table or of an index, each once. DynamoDB wants the types of these, and
    /// of no others.
    #[must_use]
    pub fn key_attributes(&self) -> BTreeSet<&str> {
        let mut keys = BTreeSet::from([self.partition_key.as_str()]);
        for index in &self.indexes {
            keys.insert(&index.partition_key);
            keys.extend(index.sort_key.as_deref());
        }
        keys
    }
}

impl From<&Index> for IndexResource {
    fn from(index: &Index) -> Self {
        Self {
            name: index.name.to_owned(),
            partition_key: index.partition_key.to_owned(),
            sort_key: index.sort_key.map(str::to_owned),
            attributes: index.attributes.iter().map(|&attribute| attribute.to_owned()).collect(),
        }
    }
}

/// A global secondary index of a table, with string keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexResource {
    /// Its name within the table.
    pub name: String,
    /// Partition key attribute.
    pub partition_key: String,
    /// Sort key attribute.
    pub sort_key: Option<String>,
    /// Attributes that it holds besides the keys.
    pub attributes: Vec<String>,
}

/// A Pipe from a table's stream to the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipe {
    /// Physical name.
    pub name: String,
    /// Physical name of the table whose stream it reads.
    pub table: String,
    /// Which records it takes.
    pub filter_pattern: Value,
    /// How a record becomes an event.
    pub target: PipeTarget,
    /// Physical name of the queue for records it could not deliver.
    pub dead_letter_queue: String,
    /// Records a batch may hold.
    pub batch_size: u32,
    /// How often a batch is tried before its records are given up.
    pub maximum_retry_attempts: u32,
    /// Concurrent batches of one shard. Records of different items may then arrive out of order, which the layer
    /// allows for anyway.
    pub parallelization_factor: u32,
}

impl Pipe {
    /// The description of every Pipe.
    pub const DESCRIPTION: &str = "Takes what a transaction left in the outbox to the bus";
    /// Where in the stream a Pipe starts: at its oldest record.
    pub const STARTING_POSITION: &str = "TRIM_HORIZON";
    /// How a failed batch is retried: in halves, so that one bad record does not block the others.
    pub const ON_PARTIAL_BATCH_ITEM_FAILURE: &str = "AUTOMATIC_BISECT";
}

/// How a Pipe turns a record into an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeTarget {
    /// JSON path of `source`.
    pub source: String,
    /// JSON path of `detail-type`.
    pub detail_type: String,
    /// Template of `detail`.
    pub input_template: String,
}

/// One service's share of the resources, by physical name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that a service does or does not")]
pub struct ServiceResources {
    /// The service's name.
    pub service: String,
    /// Environment variables, name to value.
    pub variables: BTreeMap<String, Variable>,
    /// Environment variables whose values are secrets.
    pub secrets: Vec<String>,
    /// Environment variables whose values each deployment chooses.
    pub parameters: Vec<Parameter>,
    /// Whether it answers HTTP requests.
    pub listens: bool,
    /// The queue it receives from.
    pub queue: Option<String>,
    /// The tables it owns.
    pub tables: Vec<String>,
    /// The buckets it owns.
    pub buckets: Vec<String>,
    /// The keys it encrypts with.
    pub keys: Vec<String>,
    /// The topics it publishes to.
    pub topics: Vec<String>,
    /// Whether it calls PutEvents itself.
    pub publishes_to_bus: bool,
    /// Whether it sends e-mail through SES.
    pub sends_email: bool,
    /// The configuration set it sends with.
    pub configuration_set: Option<String>,
    /// Whether a busy task is protected from scale-in and deployments, because a handler may need longer than ECS
    /// allows a task to stop.
    pub protected_from_scale_in: bool,
}

impl ServiceResources {
    /// The variable with the number of messages that a task handles at a time, if the service declares one.
    pub const CONCURRENCY: &str = "CONSUMER_CONCURRENCY";

    /// The variable with the milliseconds that a handled message waits to be deleted together with others.
    pub const DELETE_LINGER: &str = "CONSUMER_DELETE_LINGER_MS";

    /// The variable with the milliseconds that a consumer pauses after a receive that was not full.
    pub const RECEIVE_PAUSE: &str = "CONSUMER_RECEIVE_PAUSE_MS";
    /// The variable that says where a service with an outbox writes announcements: [`WITH_MARKER`](Self::WITH_MARKER), or
    /// [`SEPARATE`](Self::SEPARATE) where a deployment chooses so.
    pub const OUTBOX_ITEMS: &str = "OUTBOX_ITEMS";
    /// The first announcement of an event is a part of its marker.
    pub const WITH_MARKER: &str = "with-marker";
    /// Each announcement is an item of its own.
    pub const SEPARATE: &str = "separate";
}

/// The value of an environment variable: known now, or known once the resource exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The text itself.
    Text(String),
    /// The URL of the queue with this physical name.
    QueueUrl(String),
    /// The ARN of the topic with this physical name.
    TopicArn(String),
    /// The name of the bucket with this physical name, which has account and region besides.
    BucketName(String),
    /// The physical name of a Pipe that takes announcements with their markers.
    PipeName(String),
}
