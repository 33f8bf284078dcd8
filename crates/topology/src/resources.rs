//! The resource model that a topology becomes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::check::{Problem, TopologyError, problems};
use crate::storage::{BucketResource, KeyResource, LONGEST_BUCKET_NAME, PLACE_CHARACTERS};
use crate::{Index, MailFeedback, Parameter, Service, TableAccess, Topology, Transformer, feedback, outbox};

/// How long a message stays in a queue: the longest SQS allows, so that an outage of days loses nothing.
const RETENTION_S: u32 = 14 * 24 * 60 * 60;
/// How long a received message stays invisible before its consumer must extend it. Short, because it is also
/// how long the messages of a killed consumer wait.
const VISIBILITY_TIMEOUT_S: u32 = 30;
/// The most SQS allows
/// ([`maxReceiveCount`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html)).
/// Only a safety net: consumers give up by age and failure class, and with their delays 1,000 receives take five days.
/// SQS moves a message without a reason, a log line or a metric, and releases and killed processes raise the count too.
const MAX_RECEIVE_COUNT: u32 = 1_000;
/// How long EventBridge tries to deliver before it moves an event to the rule's dead-letter queue: its maximum.
const MAXIMUM_EVENT_AGE_S: u32 = 24 * 60 * 60;
/// How often EventBridge tries to deliver: its maximum.
const MAXIMUM_RULE_RETRIES: u32 = 185;
/// Concurrent batches of a shard: the most a Pipe allows
/// ([`ParallelizationFactor`](https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_PipeSourceDynamoDBStreamParameters.html)).
/// Each outbox item has its own key, so there is no order to preserve.
const PIPE_PARALLELIZATION: u32 = 10;
/// The longest name SQS allows.
const LONGEST_NAME: usize = 80;
/// The longest time a task on Fargate may take to stop
/// ([`stopTimeout`](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_timeout)).
const LONGEST_STOP: Duration = Duration::from_mins(2);
/// Longest name of a rule or a Pipe.
const LONGEST_RULE_NAME: usize = 64;

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

impl Topology {
    /// Checks the services against each other and computes what they need.
    ///
    /// # Errors
    /// [`TopologyError`] with every rule that does not hold.
    pub fn resources(&self) -> Result<Resources, TopologyError> {
        let problems = problems(self);
        if !problems.is_empty() {
            return Err(TopologyError { problems });
        }
        let mut resources = Resources {
            application: self.application.clone(),
            environment: self.environment.clone(),
            bus: format!("{}-{}", self.application, self.environment),
            queues: Vec::new(),
            rules: Vec::new(),
            topics: Vec::new(),
            subscriptions: Vec::new(),
            tables: Vec::new(),
            pipes: Vec::new(),
            buckets: Vec::new(),
            keys: Vec::new(),
            email_sender: self
                .services
                .iter()
                .find_map(|service| service.sends_email_as)
                .map(|mailbox| format!("{mailbox}@{}.example", self.application)),
            configuration_sets: Vec::new(),
            services: Vec::new(),
        };
        for service in &self.services {
            resources.add(service);
        }
        let problems = resources.long_names();
        if problems.is_empty() { Ok(resources) } else { Err(TopologyError { problems }) }
    }
}

impl Resources {
    /// Returns the physical name for a logical name.
    #[must_use]
    pub fn physical_name(&self, logical: &str) -> String {
        format!("{}-{logical}", self.bus)
    }

    fn add(&mut self, service: &Service) {
        let mut variables = BTreeMap::new();
        let mut set = |name: String, value| {
            variables.insert(name, value);
        };
        if service.publishes_to_bus {
            set("EVENT_BUS_NAME".into(), Variable::Text(self.bus.clone()));
        }
        if service.has_queue() {
            let queue = self.physical_name(service.name);
            set("QUEUE_NAME".into(), Variable::Text(queue.clone()));
            set("QUEUE_URL".into(), Variable::QueueUrl(queue.clone()));
            set("DEAD_LETTER_QUEUE_URL".into(), Variable::QueueUrl(format!("{queue}-dead-letter")));
            if let Some(messages) = service.handles_at_once {
                set(ServiceResources::CONCURRENCY.into(), Variable::Text(messages.to_string()));
            }
            if let Some(limit) = service.handles_within {
                set("CONSUMER_MAX_PROCESSING_S".into(), Variable::Text(limit.as_secs().to_string()));
            }
            if let Some(limit) = service.retries_for {
                set("CONSUMER_MAX_MESSAGE_AGE_S".into(), Variable::Text(limit.as_secs().to_string()));
            }
            self.add_queue(service, queue);
        }
        for table in &service.tables {
            let name = self.physical_name(table.name);
            set(variable(table.name, "TABLE_NAME"), Variable::Text(name.clone()));
            self.tables.push(TableResource {
                name: name.clone(),
                partition_key: table.partition_key.to_owned(),
                expires_at: table.expires_at.map(str::to_owned),
                indexes: table.indexes.iter().map(IndexResource::from).collect(),
                stream: table.outbox,
                swept: table.swept,
                access: table.access.iter().copied().collect(),
            });
            if table.outbox {
                let items = Variable::Text(ServiceResources::WITH_MARKER.to_owned());
                set(ServiceResources::OUTBOX_ITEMS.into(), items);
                let pipe = self.add_pipe(name);
                set(variable(table.name, "OUTBOX_PIPE_NAME"), Variable::PipeName(pipe));
            }
        }
        for bucket in &service.buckets {
            let name = self.physical_name(bucket.name);
            set(variable(bucket.name, "BUCKET_NAME"), Variable::BucketName(name.clone()));
            self.buckets.push(BucketResource {
                name,
                access: bucket.access.iter().copied().collect(),
                lifecycle: bucket.lifecycle_in(&self.environment),
                versioned: bucket.versioned,
                lockable: bucket.lockable,
            });
        }
        for key in &service.keys {
            let resource = KeyResource { name: self.physical_name(key.name) };
            // An alias is a key id that is known beforehand.
            set(variable(key.name, "KEY_ID"), Variable::Text(resource.alias()));
            self.keys.push(resource);
        }
        for topic in &service.topics {
            let name = self.physical_name(topic.name);
            set(variable(topic.name, "TOPIC_ARN"), Variable::TopicArn(name.clone()));
            self.topics.push(TopicResource { name });
        }
        if let (true, Some(sender)) = (service.sends_email_as.is_some(), &self.email_sender) {
            set("EMAIL_SENDER".into(), Variable::Text(sender.clone()));
        }
        let configuration_set = service.mail_feedback.as_ref().map(|_| self.physical_name(service.name));
        if let Some(name) = &configuration_set {
            set("EMAIL_CONFIGURATION_SET".into(), Variable::Text(name.clone()));
            let event_types = feedback::ALL.iter().map(|kind| kind.event_type.to_owned()).collect();
            self.configuration_sets.push(ConfigurationSet { name: name.clone(), event_types });
        }
        self.services.push(ServiceResources {
            service: service.name.to_owned(),
            variables,
            secrets: service.secrets.iter().map(|&variable| variable.to_owned()).collect(),
            parameters: service.parameters.clone(),
            listens: service.listens.is_some(),
            queue: service.has_queue().then(|| self.physical_name(service.name)),
            tables: service.tables.iter().map(|table| self.physical_name(table.name)).collect(),
            buckets: service.buckets.iter().map(|bucket| self.physical_name(bucket.name)).collect(),
            keys: service.keys.iter().map(|key| self.physical_name(key.name)).collect(),
            topics: service.topics.iter().map(|topic| self.physical_name(topic.name)).collect(),
            publishes_to_bus: service.publishes_to_bus,
            sends_email: service.sends_email_as.is_some(),
            configuration_set,
            protected_from_scale_in: service.handles_within.is_some_and(|limit| limit > LONGEST_STOP),
        });
    }

    /// Adds the queue, its dead-letter queue, the queue for undeliverable messages, and the rule or subscription that
    /// delivers.
    fn add_queue(&mut self, service: &Service, queue: String) {
        let dead_letter = format!("{queue}-dead-letter");
        let undelivered = format!("{queue}-undelivered");
        let mut senders = Vec::new();
        if service.has_rule() {
            self.rules.push(Rule {
                name: queue.clone(),
                bus: RuleBus::Own,
                pattern: pattern(service),
                transformer: None,
                target_queue: queue.clone(),
                dead_letter_queue: undelivered.clone(),
                maximum_event_age_s: MAXIMUM_EVENT_AGE_S,
                maximum_retry_attempts: MAXIMUM_RULE_RETRIES,
            });
            senders.push(Sender::Rule(queue.clone()));
        }
        if let Some(feedback) = &service.mail_feedback {
            senders.extend(self.add_feedback(feedback, &queue, &undelivered));
        }
        if let Some(subscription) = &service.receives {
            let topic = self.physical_name(subscription.topic);
            let policy = || {
                subscription
                    .filter
                    .iter()
                    .map(|(attribute, value)| ((*attribute).to_owned(), json!([value])))
                    .collect()
            };
            self.subscriptions.push(TopicSubscription {
                topic: topic.clone(),
                queue: queue.clone(),
                filter_policy: (!subscription.filter.is_empty()).then(|| Value::Object(policy())),
                dead_letter_queue: undelivered.clone(),
            });
            senders.push(Sender::Topic(topic));
        }
        self.queues.push(dead_letter_queue(dead_letter.clone(), Vec::new()));
        self.queues.push(dead_letter_queue(undelivered, senders.clone()));
        self.queues.push(Queue {
            name: queue,
            visibility_timeout_s: VISIBILITY_TIMEOUT_S,
            retention_s: RETENTION_S,
            dead_letter: Some(DeadLetter { queue: dead_letter, max_receive_count: MAX_RECEIVE_COUNT }),
            senders,
        });
    }

    /// Adds the rules for what SES reports of a service's mails, and returns them as senders. The configuration set has the
    /// same name as the queue.
    fn add_feedback(&mut self, feedback: &MailFeedback, queue: &str, undelivered: &str) -> Vec<Sender> {
        let rules: Vec<_> = feedback::ALL
            .iter()
            .map(|kind| Rule {
                name: format!("{queue}-{}", kind.name),
                bus: RuleBus::Default,
                pattern: feedback::pattern(kind, feedback, queue),
                transformer: Some(feedback::transformer(kind, feedback)),
                target_queue: queue.to_owned(),
                dead_letter_queue: undelivered.to_owned(),
                maximum_event_age_s: MAXIMUM_EVENT_AGE_S,
                maximum_retry_attempts: MAXIMUM_RULE_RETRIES,
            })
            .collect();
        let senders = rules.iter().map(|rule| Sender::DefaultBusRule(rule.name.clone())).collect();
        self.rules.extend(rules);
        senders
    }

    /// Adds the Pipe from a table's stream to the bus, and returns its name.
    fn add_pipe(&mut self, table: String) -> String {
        let name = format!("{table}-outbox");
        let dead_letter_queue_name = format!("{name}-dead-letter");
        self.queues.push(dead_letter_queue(dead_letter_queue_name.clone(), Vec::new()));
        self.pipes.push(Pipe {
            name: name.clone(),
            table,
            filter_pattern: outbox::filter_pattern(),
            target: PipeTarget {
                source: outbox::string_path(envelope::outbox::SOURCE),
                detail_type: outbox::string_path(envelope::outbox::EVENT_TYPE),
                input_template: outbox::input_template(),
            },
            dead_letter_queue: dead_letter_queue_name,
            batch_size: 10,
            maximum_retry_attempts: 100,
            parallelization_factor: PIPE_PARALLELIZATION,
        });
        name
    }

    fn long_names(&self) -> Vec<Problem> {
        let queues = self.queues.iter().map(|queue| (&queue.name, LONGEST_NAME));
        let rules = self.rules.iter().map(|rule| (&rule.name, LONGEST_RULE_NAME));
        let pipes = self.pipes.iter().map(|pipe| (&pipe.name, LONGEST_RULE_NAME));
        // A template's names contain a placeholder; the template's renderer knows what becomes of that.
        let named = self.buckets.iter().map(|bucket| &bucket.name).filter(|name| !name.contains('$'));
        let buckets = named.map(|name| (name, LONGEST_BUCKET_NAME - PLACE_CHARACTERS));
        queues
            .chain(rules)
            .chain(pipes)
            .chain(buckets)
            .filter(|(name, limit)| name.len() > *limit)
            .map(|(name, limit)| Problem::NameTooLong { name: name.clone(), limit })
            .collect()
    }
}

/// Returns the pattern of the events that a service consumes.
fn pattern(service: &Service) -> Value {
    if service.consumes_all_events {
        // EventBridge marks what it replays at the top
        // (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html>).
        let absent = || json!([{"exists": false}]);
        return json!({
            "replay-name": absent(),
            "detail": {"metadata": {envelope::REPLAYED: absent()}},
        });
    }
    let sources: BTreeSet<_> = service.consumes.iter().map(|event| event.source).collect();
    let types: BTreeSet<_> = service.consumes.iter().map(|event| event.name).collect();
    json!({"source": sources, "detail-type": types})
}

fn dead_letter_queue(name: String, senders: Vec<Sender>) -> Queue {
    Queue {
        name,
        visibility_timeout_s: VISIBILITY_TIMEOUT_S,
        retention_s: RETENTION_S,
        dead_letter: None,
        senders,
    }
}

/// Returns `EMAIL_DELIVERIES_TABLE_NAME` for `email-deliveries` and `TABLE_NAME`.
fn variable(logical: &str, suffix: &str) -> String {
    format!("{}_{suffix}", logical.to_uppercase().replace('-', "_"))
}
