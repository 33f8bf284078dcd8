//! How events reach the targets of the rules that they match.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::entry::{Entry, Event, Rejected, ServiceEvent};
use super::input::{Arrived, NotJson, RuleContext};
use super::names::{DEFAULT_BUS, Names};
use super::state::{Rule, State};
use super::target::{Destination, Target};
use crate::kinder;
use crate::reply::AwsError;
use crate::settings::Settings;
use crate::sns::Publisher;
use crate::sqs::{MessageAttributeValue, Outgoing, Queues};

/// All buses; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Buses(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    names: Names,
    queues: Queues,
    topics: Publisher,
    state: Mutex<State>,
    /// Wakes the clock after a change of schedules.
    schedules: Notify,
}

/// How an event came to a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    /// From a producer.
    First,
    /// From a rule of another bus. It goes to no third bus (EventBridge user guide, "Sending and receiving events between
    /// event buses").
    Second,
}

/// Why an event did not reach a target.
#[derive(Debug)]
struct Undelivered {
    /// The code in a dead letter (EventBridge user guide, "Using dead-letter queues to process undelivered events").
    code: &'static str,
    message: String,
}

impl From<AwsError> for Undelivered {
    fn from(error: AwsError) -> Self {
        let code = match &*error.code {
            "QueueDoesNotExist" | "NotFound" => "NO_RESOURCE",
            _ if error.status.is_server_error() => "INTERNAL_ERROR",
            _ => "SDK_CLIENT_ERROR",
        };
        Self { code, message: error.message }
    }
}

impl From<NotJson> for Undelivered {
    fn from(NotJson: NotJson) -> Self {
        Self { code: "INVALID_JSON", message: "The transformed input is not valid JSON.".to_owned() }
    }
}

impl Buses {
    pub(super) fn new(queues: Queues, topics: Publisher, settings: &Settings) -> Self {
        let names = Names::new(settings);
        let state = Mutex::new(State::new(&names));
        Self(Arc::new(Inner { names, queues, topics, state, schedules: Notify::new() }))
    }

    pub(super) fn names(&self) -> &Names {
        &self.0.names
    }

    pub(super) fn queues(&self) -> &Queues {
        &self.0.queues
    }

    /// Locks everything that is kept; never across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn schedules_changed(&self) {
        self.0.schedules.notify_one();
    }

    pub(super) async fn change_of_schedules(&self) {
        self.0.schedules.notified().await;
    }

    /// Puts one event. When this returns the event's id, the event is on the queue of every matching target, or on the
    /// dead-letter queue of a target that could not be reached.
    ///
    /// AWS accepts an event for a bus that does not exist and drops it. Here it is rejected, so that a misspelt name is
    /// found at once.
    pub(crate) async fn put(&self, entry: &Entry, trace_header: Option<String>) -> Result<String, Rejected> {
        let Names { account, region } = self.names();
        let name = self.names().bus_name(entry.event_bus_name.as_deref());
        let event = entry.event(account, region)?;
        let occurred = event.occurred;
        let event = Arrived::new(&event)
            .ok_or_else(|| Rejected::new("InternalFailure", "the event could not be written as JSON"))?;
        let Some(rules) = self.take(name, &event, occurred) else {
            kinder::UNKNOWN_BUS.note(name);
            return Err(Rejected::new("ResourceNotFoundException", Names::no_such_bus(name).message));
        };
        self.deliver(&rules, &event, Hop::First, trace_header.as_deref()).await;
        Ok(event.id)
    }

    /// Puts an event of an AWS service on the default bus, the only one such events come to. It carries no trace header.
    pub(crate) async fn put_of_service(&self, event: &ServiceEvent) {
        let Names { account, region } = self.names();
        let event = Event::of_service(event, account, region, Timestamp::now());
        let occurred = event.occurred;
        let Some(event) = Arrived::new(&event) else { return };
        if let Some(rules) = self.take(DEFAULT_BUS, &event, occurred) {
            self.deliver(&rules, &event, Hop::First, None).await;
        }
    }

    /// Archives an event that comes to a bus, and returns the rules that it matches; `None` if there is no such bus.
    fn take(&self, bus: &str, event: &Arrived, occurred: Timestamp) -> Option<Vec<Arc<Rule>>> {
        let mut state = self.state();
        let rules = state.bus(bus).ok()?.matching(&event.value);
        state.archive(bus, event, occurred);
        Some(rules)
    }

    /// Delivers an event of the cloud itself or of a replay to the targets of rules.
    pub(super) async fn deliver_to(&self, rules: &[Arc<Rule>], event: &Arrived) {
        self.deliver(rules, event, Hop::First, None).await;
    }

    async fn deliver(&self, rules: &[Arc<Rule>], event: &Arrived, hop: Hop, trace_header: Option<&str>) {
        for rule in rules {
            for target in rule.targets.values() {
                if let Err(error) = self.send(rule, target, event, hop, trace_header).await {
                    self.dead_letter(rule, target, &error, event, trace_header).await;
                }
            }
        }
    }

    async fn send(
        &self,
        rule: &Rule,
        target: &Target,
        event: &Arrived,
        hop: Hop,
        trace_header: Option<&str>,
    ) -> Result<(), Undelivered> {
        let context = RuleContext { name: &rule.name, arn: &rule.arn };
        match &target.destination {
            Destination::Topic => {
                let message = target.input.message(context, event)?;
                let trace_header = trace_header.map(str::to_owned);
                Ok(self.0.topics.publish_event(&target.arn, message, trace_header).await?)
            }
            Destination::Queue => {
                let message = Outgoing {
                    body: target.input.message(context, event)?,
                    group_id: target.group_id.clone(),
                    deduplication_id: target.group_id.is_some().then(|| event.id.clone()),
                    trace_header: trace_header.map(str::to_owned),
                    ..Outgoing::default()
                };
                Ok(self.0.queues.send_to(&target.arn, message).await?)
            }
            Destination::Bus(_) if hop == Hop::Second => {
                tracing::warn!(rule = rule.arn, target = target.arn, "an event was not sent to a third bus");
                Ok(())
            }
            Destination::Bus(name) => {
                let rules = match self.state().bus(name) {
                    Ok(bus) => bus.matching(&event.value),
                    Err(error) => return Err(Undelivered { code: "NO_RESOURCE", message: error.message }),
                };
                Box::pin(self.deliver(&rules, event, Hop::Second, trace_header)).await;
                Ok(())
            }
        }
    }

    /// Sends the event to the target's dead-letter queue: the event itself, not the message the target would have received.
    async fn dead_letter(
        &self,
        rule: &Rule,
        target: &Target,
        error: &Undelivered,
        event: &Arrived,
        trace_header: Option<&str>,
    ) {
        let code = error.code;
        let Some(arn) = &target.dead_letter_arn else {
            tracing::warn!(
                rule = rule.arn,
                target = target.arn,
                code,
                "an event was lost: its target has no dead-letter queue"
            );
            return;
        };
        let attributes = [
            ("ERROR_CODE", code),
            ("ERROR_MESSAGE", &error.message),
            ("RULE_ARN", &rule.arn),
            ("TARGET_ARN", &target.arn),
        ];
        let message = Outgoing {
            body: event.text.clone(),
            attributes: attributes
                .into_iter()
                .map(|(name, value)| (name.to_owned(), MessageAttributeValue::string(value)))
                .collect(),
            trace_header: trace_header.map(str::to_owned),
            ..Outgoing::default()
        };
        match self.0.queues.send_to(arn, message).await {
            Ok(()) => tracing::warn!(
                rule = rule.arn,
                target = target.arn,
                code,
                "an event went to its target's dead-letter queue"
            ),
            Err(error) => tracing::error!(
                rule = rule.arn,
                target = target.arn,
                code,
                dead_letter_code = %error.code,
                "an event was lost: neither its target nor the dead-letter queue accepted it"
            ),
        }
    }
}

impl Arrived {
    pub(super) fn new(event: &Event) -> Option<Self> {
        let text = serde_json::to_string(event).ok()?;
        Self::read(event.id.clone(), text)
    }

    pub(super) fn read(id: String, text: String) -> Option<Self> {
        let value = serde_json::from_str(&text).ok()?;
        Some(Self { id, text, value })
    }
}

impl State {
    /// Keeps an event in the archives of its bus whose pattern it matches.
    fn archive(&mut self, bus: &str, event: &Arrived, occurred: Timestamp) {
        if self.archives.is_empty() {
            return;
        }
        let budget = &self.archived;
        for archive in self.archives.values_mut().filter(|archive| archive.takes(bus, &event.value)) {
            archive.keep(occurred, &event.id, &event.text, budget);
        }
    }
}
