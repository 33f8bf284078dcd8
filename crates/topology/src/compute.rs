//! How a topology becomes the resource model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::check::{Problem, TopologyError, problems};
use crate::storage::{BucketResource, KeyResource, LONGEST_BUCKET_NAME, PLACE_CHARACTERS};
use crate::{
    ConfigurationSet, DeadLetter, IndexResource, MailFeedback, Pipe, PipeTarget, Queue, Resources, Rule,
    RuleBus, Sender, Service, ServiceResources, TableResource, TopicResource, TopicSubscription, Topology,
    Variable, feedback, outbox,
};

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
