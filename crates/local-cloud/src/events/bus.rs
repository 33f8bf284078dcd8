//! Buses with their rules and targets, and how an event is routed through them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rustack_events_core::pattern::{self, EventPattern};
use rustack_events_core::provider::RustackEvents;
use rustack_events_model::error::EventsError;
use rustack_events_model::input::{
    DeleteEventBusInput, DeleteRuleInput, DescribeEventBusInput, DescribeRuleInput,
    ListRuleNamesByTargetInput, ListRulesInput, ListTargetsByRuleInput, PutTargetsInput, RemoveTargetsInput,
};
use rustack_events_model::output::{
    DeleteEventBusOutput, DeleteRuleOutput, ListRuleNamesByTargetOutput, ListTargetsByRuleOutput,
    PutTargetsOutput, RemoveTargetsOutput,
};
use rustack_events_model::types::{PutTargetsResultEntry, Target};

use super::entry::{Entry, Rejected};
use super::targets::{self, RuleContext};
use crate::reply::AwsError;
use crate::settings::Settings;
use crate::sqs::{Outgoing, Queues};

const MAX_TARGETS: usize = 5;

/// All buses; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Buses(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Arc<RustackEvents>,
    queues: Queues,
    account: String,
    region: String,
    /// By bus and rule. They are kept here because the engine refuses targets with a dead-letter queue.
    targets: Mutex<HashMap<(String, String), BTreeMap<String, Target>>>,
    /// By bus: the enabled rules with a pattern and targets, ready to match.
    routes: RwLock<HashMap<String, Arc<Vec<Route>>>>,
}

#[derive(Debug)]
struct Route {
    name: String,
    arn: String,
    pattern: EventPattern,
    targets: Vec<Target>,
}

impl Buses {
    pub(super) fn new(engine: Arc<RustackEvents>, queues: Queues, settings: &Settings) -> Self {
        Self(Arc::new(Inner {
            engine,
            queues,
            account: settings.account_id.clone(),
            region: settings.region.clone(),
            targets: Mutex::default(),
            routes: RwLock::default(),
        }))
    }

    fn targets(&self) -> MutexGuard<'_, HashMap<(String, String), BTreeMap<String, Target>>> {
        self.0.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one event. When this returns the event's id, the event is on the queue of every matching target, or on the
    /// dead-letter queue of a target that could not be reached.
    pub(crate) async fn put(&self, entry: &Entry, trace_header: Option<String>) -> Result<String, Rejected> {
        let bus = entry.bus();
        let event = entry.event(&self.0.account, &self.0.region)?;
        self.0
            .engine
            .handle_describe_event_bus(&DescribeEventBusInput { name: Some(bus.to_owned()) })
            .map_err(|_| {
                Rejected::new("ResourceNotFoundException", format!("Event bus {bus} does not exist."))
            })?;
        let routes = self.0.routes.read().unwrap_or_else(PoisonError::into_inner).get(bus).cloned();
        let Some(routes) = routes else { return Ok(event.id) };

        let unwritable = |_| Rejected::new("InternalFailure", "the event could not be written as JSON");
        let text = serde_json::to_string(&event).map_err(unwritable)?;
        let value = serde_json::from_str(&text).map_err(unwritable)?;
        for route in routes.iter().filter(|route| pattern::matches(&route.pattern, &value)) {
            let rule = RuleContext { name: &route.name, arn: &route.arn };
            for target in &route.targets {
                let message = Outgoing {
                    body: targets::input(target, &rule, &value, &text),
                    group_id: target
                        .sqs_parameters
                        .as_ref()
                        .map(|parameters| parameters.message_group_id.clone()),
                    deduplication_id: target.sqs_parameters.is_some().then(|| event.id.clone()),
                    trace_header: trace_header.clone(),
                    ..Outgoing::default()
                };
                if let Err(error) = self.0.queues.send_to(&target.arn, message).await {
                    self.dead_letter(route, target, &error, &text, trace_header.clone()).await;
                }
            }
        }
        Ok(event.id)
    }

    /// Sends the event to the target's dead-letter queue: the event itself, not the message the target would have received.
    async fn dead_letter(
        &self,
        route: &Route,
        target: &Target,
        error: &AwsError,
        text: &str,
        trace_header: Option<String>,
    ) {
        let code = error.shown_code();
        let Some(arn) = target.dead_letter_config.as_ref().and_then(|config| config.arn.as_deref()) else {
            tracing::warn!(
                rule = route.arn,
                target = target.arn,
                code,
                "an event was lost: its target has no dead-letter queue"
            );
            return;
        };
        let message = Outgoing {
            body: text.to_owned(),
            attributes: targets::dead_letter_attributes(error, &route.arn, &target.arn),
            trace_header,
            ..Outgoing::default()
        };
        match self.0.queues.send_to(arn, message).await {
            Ok(()) => tracing::warn!(
                rule = route.arn,
                target = target.arn,
                code,
                "an event went to its target's dead-letter queue"
            ),
            Err(error) => tracing::error!(
                rule = route.arn,
                target = target.arn,
                code,
                dead_letter_code = error.shown_code(),
                "an event was lost: neither its target nor the dead-letter queue accepted it"
            ),
        }
    }

    /// Rebuilds the routes of a bus, after one of its rules or targets changed.
    pub(super) fn refresh(&self, bus: &str) {
        let mut routes = Vec::new();
        let mut input = ListRulesInput { event_bus_name: Some(bus.to_owned()), ..ListRulesInput::default() };
        // Reading happens under the lock, so that of two concurrent refreshes the later result stays.
        let mut table = self.0.routes.write().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Ok(page) = self.0.engine.handle_list_rules(&input) else {
                table.remove(bus);
                return;
            };
            for rule in page.rules.into_iter().filter(|rule| rule.state.as_deref() == Some("ENABLED")) {
                let name = rule.name.unwrap_or_default();
                let targets =
                    self.targets().get(&(bus.to_owned(), name.clone())).cloned().unwrap_or_default();
                let pattern =
                    rule.event_pattern.and_then(|pattern| pattern::parse_event_pattern(&pattern).ok());
                if let Some(pattern) = pattern
                    && !targets.is_empty()
                {
                    let targets = targets.into_values().collect();
                    routes.push(Route { name, arn: rule.arn.unwrap_or_default(), pattern, targets });
                }
            }
            input.next_token = page.next_token;
            if input.next_token.is_none() {
                break;
            }
        }
        table.insert(bus.to_owned(), Arc::new(routes));
    }

    fn check_rule(&self, bus: &str, rule: &str) -> Result<(), EventsError> {
        self.0
            .engine
            .handle_describe_rule(&DescribeRuleInput {
                name: rule.to_owned(),
                event_bus_name: Some(bus.to_owned()),
            })
            .map(|_| ())
    }

    pub(super) fn put_targets(&self, input: PutTargetsInput) -> Result<PutTargetsOutput, EventsError> {
        let bus = input.event_bus_name.unwrap_or_else(|| "default".to_owned());
        self.check_rule(&bus, &input.rule)?;
        let mut failed_entries = Vec::new();
        {
            let mut all = self.targets();
            let targets = all.entry((bus.clone(), input.rule)).or_default();
            for target in input.targets {
                let refused = if !targets.contains_key(&target.id) && targets.len() >= MAX_TARGETS {
                    Some(("LimitExceededException", format!("a rule has at most {MAX_TARGETS} targets")))
                } else {
                    targets::refuse(&target, &self.0.queues).map(|reason| ("ValidationException", reason))
                };
                match refused {
                    None => {
                        targets.insert(target.id.clone(), target);
                    }
                    Some((code, reason)) => failed_entries.push(PutTargetsResultEntry {
                        target_id: Some(target.id),
                        error_code: Some(code.to_owned()),
                        error_message: Some(reason),
                    }),
                }
            }
        }
        self.refresh(&bus);
        let failed_entry_count = i32::try_from(failed_entries.len()).unwrap_or(i32::MAX);
        Ok(PutTargetsOutput { failed_entry_count, failed_entries })
    }

    pub(super) fn remove_targets(
        &self,
        input: &RemoveTargetsInput,
    ) -> Result<RemoveTargetsOutput, EventsError> {
        let bus = input.event_bus_name.as_deref().unwrap_or("default");
        self.check_rule(bus, &input.rule)?;
        if let Some(targets) = self.targets().get_mut(&(bus.to_owned(), input.rule.clone())) {
            targets.retain(|id, _| !input.ids.contains(id));
        }
        self.refresh(bus);
        Ok(RemoveTargetsOutput { failed_entry_count: 0, failed_entries: Vec::new() })
    }

    /// Lists the targets on one page: a rule has at most five.
    pub(super) fn list_targets(
        &self,
        input: &ListTargetsByRuleInput,
    ) -> Result<ListTargetsByRuleOutput, EventsError> {
        let bus = input.event_bus_name.as_deref().unwrap_or("default");
        self.check_rule(bus, &input.rule)?;
        let targets = self.targets().get(&(bus.to_owned(), input.rule.clone())).cloned().unwrap_or_default();
        Ok(ListTargetsByRuleOutput { targets: targets.into_values().collect(), next_token: None })
    }

    pub(super) fn list_rules_of_target(
        &self,
        input: &ListRuleNamesByTargetInput,
    ) -> Result<ListRuleNamesByTargetOutput, EventsError> {
        let bus = input.event_bus_name.as_deref().unwrap_or("default");
        self.0.engine.handle_describe_event_bus(&DescribeEventBusInput { name: Some(bus.to_owned()) })?;
        let mut rule_names: Vec<_> = self
            .targets()
            .iter()
            .filter(|((of_bus, _), targets)| {
                of_bus == bus && targets.values().any(|target| target.arn == input.target_arn)
            })
            .map(|((_, rule), _)| rule.clone())
            .collect();
        rule_names.sort();
        Ok(ListRuleNamesByTargetOutput { rule_names, next_token: None })
    }

    pub(super) fn delete_rule(&self, input: &DeleteRuleInput) -> Result<DeleteRuleOutput, EventsError> {
        let bus = input.event_bus_name.as_deref().unwrap_or("default");
        let key = (bus.to_owned(), input.name.clone());
        if self.targets().get(&key).is_some_and(|targets| !targets.is_empty()) {
            return Err(EventsError::validation("Rule can't be deleted since it has targets."));
        }
        let output = self.0.engine.handle_delete_rule(input)?;
        self.targets().remove(&key);
        self.refresh(bus);
        Ok(output)
    }

    pub(super) fn delete_bus(
        &self,
        input: &DeleteEventBusInput,
    ) -> Result<DeleteEventBusOutput, EventsError> {
        let output = self.0.engine.handle_delete_event_bus(input)?;
        self.targets().retain(|(bus, _), _| *bus != input.name);
        self.refresh(&input.name);
        Ok(output)
    }
}
