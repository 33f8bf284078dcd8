//! How a service declares itself.

use std::collections::BTreeSet;
use std::time::Duration;

use envelope::{Event, EventSet, EventType};

use crate::storage::{Bucket, Key};
use crate::{Index, Parameter};

/// All services of one application in one environment.
#[derive(Clone, Debug)]
pub struct Topology {
    pub(crate) application: String,
    pub(crate) environment: String,
    pub(crate) services: Vec<Service>,
    pub(crate) erasure: Vec<EventType>,
    pub(crate) emitted_elsewhere: Vec<EventType>,
}

impl Topology {
    /// Creates an empty topology. Application and environment are the first two parts of every physical name.
    #[must_use]
    pub fn new(application: impl Into<String>, environment: impl Into<String>) -> Self {
        Self {
            application: application.into(),
            environment: environment.into(),
            services: Vec::new(),
            erasure: Vec::new(),
            emitted_elsewhere: Vec::new(),
        }
    }

    /// Adds a service.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Names the event of a person's erasure. Every service that owns a table or a bucket with personal data must then
    /// consume it (or emit it).
    #[must_use]
    pub fn erases_personal_data_on<E: EventSet>(mut self) -> Self {
        self.erasure.extend(E::types());
        self
    }

    /// Names events that services emit which are not part of this topology, so that those that are may consume them. Nothing
    /// is created for them.
    #[must_use]
    pub fn emitted_elsewhere(mut self, events: impl IntoIterator<Item = EventType>) -> Self {
        self.emitted_elsewhere.extend(events);
        self
    }

    /// Returns the services in the order they were added.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }
}

/// What one service consumes, owns and emits.
#[derive(Clone, Debug)]
pub struct Service {
    pub(crate) name: &'static str,
    pub(crate) consumes: Vec<EventType>,
    pub(crate) consumes_all_events: bool,
    pub(crate) receives: Option<Subscription>,
    pub(crate) tables: Vec<Table>,
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) keys: Vec<Key>,
    pub(crate) topics: Vec<Topic>,
    pub(crate) emits: Vec<EventType>,
    pub(crate) listens: Option<Http>,
    pub(crate) publishes_to_bus: bool,
    pub(crate) sends_email_as: Option<&'static str>,
    pub(crate) mail_feedback: Option<MailFeedback>,
    pub(crate) secrets: Vec<&'static str>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) handles_at_once: Option<u32>,
    pub(crate) handles_within: Option<Duration>,
    pub(crate) retries_for: Option<Duration>,
}

impl Service {
    /// Creates a service that does nothing yet. Its folder, package and queue have the same name.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            consumes: Vec::new(),
            consumes_all_events: false,
            receives: None,
            tables: Vec::new(),
            buckets: Vec::new(),
            keys: Vec::new(),
            topics: Vec::new(),
            emits: Vec::new(),
            listens: None,
            publishes_to_bus: false,
            sends_email_as: None,
            mail_feedback: None,
            secrets: Vec::new(),
            parameters: Vec::new(),
            handles_at_once: None,
            handles_within: None,
            retries_for: None,
        }
    }

    /// Consumes these events: a rule delivers them from the bus to its queue.
    #[must_use]
    pub fn consumes(mut self, events: Vec<EventType>) -> Self {
        self.consumes.extend(events);
        self
    }

    /// Consumes every event on the bus, whoever emits it and whatever its type, except those that are on the bus again:
    /// replays of EventBridge, and events whose metadata says that they were replayed.
    ///
    /// ```
    /// let service = topology::Service::new("audit").consumes_all_events();
    /// ```
    #[must_use]
    pub fn consumes_all_events(mut self) -> Self {
        self.consumes_all_events = true;
        self
    }

    /// Receives the messages of a topic that match the subscription in its queue.
    #[must_use]
    pub fn receives(mut self, subscription: Subscription) -> Self {
        self.receives = Some(subscription);
        self
    }

    /// Owns a table; no other service touches it.
    #[must_use]
    pub fn owns(mut self, table: Table) -> Self {
        self.tables.push(table);
        self
    }

    /// Owns a bucket; no other service touches it.
    #[must_use]
    pub fn owns_bucket(mut self, bucket: Bucket) -> Self {
        self.buckets.push(bucket);
        self
    }

    /// Encrypts with its own key.
    #[must_use]
    pub fn encrypts_with(mut self, key: Key) -> Self {
        self.keys.push(key);
        self
    }

    /// Emits these events, through the outbox of one of its tables or directly to the bus.
    #[must_use]
    pub fn emits<E: EventSet>(mut self) -> Self {
        self.emits.extend(E::types());
        self
    }

    /// Calls PutEvents on the bus itself.
    #[must_use]
    pub fn publishes_to_bus(mut self) -> Self {
        self.publishes_to_bus = true;
        self
    }

    /// Publishes to a topic that it owns.
    #[must_use]
    pub fn publishes(mut self, topic: Topic) -> Self {
        self.topics.push(topic);
        self
    }

    /// Answers HTTP requests.
    #[must_use]
    pub fn listens(mut self, http: Http) -> Self {
        self.listens = Some(http);
        self
    }

    /// Sends e-mail through SES. `mailbox` is the sender's name before the `@`, until a deployment sets the sender.
    #[must_use]
    pub fn sends_email_as(mut self, mailbox: &'static str) -> Self {
        self.sends_email_as = Some(mailbox);
        self
    }

    /// Consumes what becomes of the mails it sends: bounces and complaints come to its queue as events. Its mails must name
    /// the configuration set `EMAIL_CONFIGURATION_SET` and have the tags of [`envelope::mail::tags`] and of `feedback`.
    #[must_use]
    pub fn consumes_mail_feedback(mut self, feedback: MailFeedback) -> Self {
        self.mail_feedback = Some(feedback);
        self
    }

    /// Reads an environment variable whose value is a secret. In production it comes from Secrets Manager; on a
    /// laptop nothing sets it.
    #[must_use]
    pub fn secret(mut self, variable: &'static str) -> Self {
        self.secrets.push(variable);
        self
    }

    /// Reads an environment variable whose value each deployment chooses.
    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Sets how old a message may get before a failure dead-letters it, in whole seconds; the consumer's default is
    /// three days. It must be less than the 14 days that a queue keeps messages.
    ///
    /// ```
    /// use std::time::Duration;
    /// let service = topology::Service::new("app").retries_for(Duration::from_hours(75));
    /// ```
    #[must_use]
    pub fn retries_for(mut self, limit: Duration) -> Self {
        self.retries_for = Some(limit);
        self
    }

    /// Sets how many messages a task handles at a time; the consumer's default is 32. A deployment may choose otherwise.
    #[must_use]
    pub fn handles_at_once(mut self, messages: u32) -> Self {
        self.handles_at_once = Some(messages);
        self
    }

    /// Sets how long the handler may take for one message, in whole seconds; the consumer's default is 25. Above
    /// the two minutes that ECS allows a task to stop, the service is protected from scale-in while it has messages in
    /// flight.
    ///
    /// ```
    /// use std::time::Duration;
    /// let service = topology::Service::new("reports").handles_within(Duration::from_mins(10));
    /// ```
    #[must_use]
    pub fn handles_within(mut self, limit: Duration) -> Self {
        self.handles_within = Some(limit);
        self
    }

    /// Returns the event types that the service emits.
    #[must_use]
    pub fn emitted(&self) -> &[EventType] {
        &self.emits
    }

    /// Returns the service's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns its HTTP side, if it answers HTTP requests.
    #[must_use]
    pub fn http(&self) -> Option<&Http> {
        self.listens.as_ref()
    }

    pub(crate) fn has_queue(&self) -> bool {
        self.has_rule() || self.receives.is_some() || self.mail_feedback.is_some()
    }

    /// Returns whether a rule of the bus delivers to its queue.
    pub(crate) fn has_rule(&self) -> bool {
        self.consumes_all_events || !self.consumes.is_empty()
    }
}

/// Bounces and complaints about the mails of a service, as events.
///
/// SES publishes them on the account's default bus, where a rule gives each the form of an envelope. Only what says that an
/// address is no longer to be used becomes an event: permanent bounces and complaints. The data consists of
///
/// - `reason`: `bounce` or `complaint`,
/// - `mailed_at`: when the mail was sent,
/// - each declared tag of the mail, as a string.
///
/// A mail without one of the tags, such as one that somebody else sends with the same configuration set, leads to no
/// event.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)] struct MailReturned;
/// # impl envelope::Event for MailReturned {
/// #     const TYPE: &'static str = "MailReturned"; const SOURCE: &'static str = "aws.ses";
/// #     fn customer_number(&self) -> &str { "" }
/// # }
/// use topology::{MailFeedback, Service, events};
///
/// let service = Service::new("email")
///     .sends_email_as("shop")
///     .consumes_mail_feedback(MailFeedback::of::<MailReturned>().tag("customer_number"));
/// ```
#[derive(Clone, Debug)]
pub struct MailFeedback {
    pub(crate) event: EventType,
    pub(crate) tags: Vec<&'static str>,
}

impl MailFeedback {
    /// Delivers bounces and complaints as events of type `E`.
    #[must_use]
    pub fn of<E: Event>() -> Self {
        Self { event: EventType { source: E::SOURCE, name: E::TYPE }, tags: Vec::new() }
    }

    /// Adds a tag of the mail to the event's data.
    #[must_use]
    pub fn tag(mut self, name: &'static str) -> Self {
        self.tags.push(name);
        self
    }
}

/// The HTTP side of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http;

impl Http {
    /// Declares a service that listens on `LISTEN_ADDRESS`.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

/// A DynamoDB table.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) name: &'static str,
    pub(crate) partition_key: &'static str,
    pub(crate) expires_at: Option<&'static str>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) outbox: bool,
    pub(crate) swept: bool,
    pub(crate) personal_data: bool,
    pub(crate) access: BTreeSet<TableAccess>,
}

/// One thing a service does with the items of its table, inside a transaction or not.
///
/// DynamoDB authorizes a transaction by what it does to each item
/// ([IAM and transactions](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TableAccess {
    /// Reads an item by its key.
    Get,
    /// Writes a whole item.
    Put,
    /// Changes parts of an item.
    Update,
    /// Removes an item.
    Delete,
    /// Reads the items of one partition key.
    Query,
    /// Reads the items of one partition key of an index, of every index that the table has.
    QueryIndex,
    /// Checks a condition on an item that a transaction does not change.
    Check,
}

impl TableAccess {
    /// The action that IAM must grant, for [`TableAccess::QueryIndex`] on the indexes and otherwise on the table.
    ///
    /// ```
    /// assert_eq!(topology::TableAccess::Get.action(), "dynamodb:GetItem");
    /// ```
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::Get => "dynamodb:GetItem",
            Self::Put => "dynamodb:PutItem",
            Self::Update => "dynamodb:UpdateItem",
            Self::Delete => "dynamodb:DeleteItem",
            Self::Query | Self::QueryIndex => "dynamodb:Query",
            Self::Check => "dynamodb:ConditionCheckItem",
        }
    }
}

impl Table {
    /// A table with the partition key `pk`, billed per request.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            partition_key: envelope::outbox::PARTITION_KEY,
            expires_at: None,
            indexes: Vec::new(),
            outbox: false,
            swept: false,
            personal_data: false,
            access: BTreeSet::new(),
        }
    }

    /// The name of the partition key attribute, a string.
    #[must_use]
    pub fn partition_key(mut self, attribute: &'static str) -> Self {
        self.partition_key = attribute;
        self
    }

    /// The attribute with the epoch second after which DynamoDB may remove an item (TTL).
    #[must_use]
    pub fn expires_at(mut self, attribute: &'static str) -> Self {
        self.expires_at = Some(attribute);
        self
    }

    /// Has a global secondary index, which the service reads with [`TableAccess::QueryIndex`].
    #[must_use]
    pub fn index(mut self, index: Index) -> Self {
        self.indexes.push(index);
        self
    }

    /// Holds the markers of handled events, or claims, which make effects happen once. They expire by the attribute
    /// [`envelope::outbox::EXPIRES_AT`].
    ///
    /// ```
    /// use topology::{Table, TableAccess};
    ///
    /// let table = Table::new("rewards").markers().access([TableAccess::Update]);
    /// ```
    #[must_use]
    pub fn markers(mut self) -> Self {
        self.expires_at = Some(envelope::outbox::EXPIRES_AT);
        self.access.insert(TableAccess::Put);
        self
    }

    /// Sends items whose partition key starts with `OUTBOX#` to the bus through a stream and a Pipe. The service
    /// writes them.
    #[must_use]
    pub fn outbox(mut self) -> Self {
        self.outbox = true;
        self.access.insert(TableAccess::Put);
        self
    }

    /// What the service does with the items; its role in production is allowed this and nothing else.
    ///
    /// ```
    /// use topology::{Table, TableAccess};
    ///
    /// let table = Table::new("deliveries").access([TableAccess::Put, TableAccess::Update]);
    /// ```
    #[must_use]
    pub fn access(mut self, access: impl IntoIterator<Item = TableAccess>) -> Self {
        self.access.extend(access);
        self
    }

    /// Declares that its owner sweeps what falls due in it, so that a deployment watches over that.
    #[must_use]
    pub fn swept(mut self) -> Self {
        self.swept = true;
        self
    }

    /// Declares that it holds names or addresses, which must be removed when a person is erased.
    #[must_use]
    pub fn personal_data(mut self) -> Self {
        self.personal_data = true;
        self
    }
}

/// An SNS topic.
#[derive(Clone, Debug)]
pub struct Topic {
    pub(crate) name: &'static str,
    pub(crate) attributes: Vec<&'static str>,
}

impl Topic {
    /// Creates a topic without attributes.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new() }
    }

    /// A message attribute (a string) that subscriptions may filter by.
    #[must_use]
    pub fn attribute(mut self, name: &'static str) -> Self {
        self.attributes.push(name);
        self
    }
}

/// The messages of a topic that a service receives.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub(crate) topic: &'static str,
    pub(crate) filter: Vec<(&'static str, &'static str)>,
}

/// Subscribes to every message of the topic.
#[must_use]
pub fn topic(name: &'static str) -> Subscription {
    Subscription { topic: name, filter: Vec::new() }
}

impl Subscription {
    /// Restricts the subscription to messages whose attribute has this value.
    #[must_use]
    pub fn with(mut self, attribute: &'static str, value: &'static str) -> Self {
        self.filter.push((attribute, value));
        self
    }
}
