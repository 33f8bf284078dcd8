//! The scenarios: what goes wrong in each, and while what happens.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::history::Kind;
use crate::layer;

/// The services of AWS that a service of the layer calls, by their names in `SigV4`.
const CALLED: [&str; 7] = ["dynamodb", "events", "sns", "sqs", "ses", "s3", "kms"];

/// How large a run is, and how long its faults last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// The events of a burst.
    pub(super) events: usize,
    /// How long a dependency is unavailable.
    pub(super) outage: Duration,
    /// How long other faults last, unless everything is done before.
    pub(super) under_faults: Duration,
    /// How long processes are stopped: longer than the visibility timeout.
    pub(super) pause: Duration,
    /// How long to wait for the end of a scenario while the queues do not become emptier.
    pub(super) patience: Duration,
}

/// What is done to processes while the events of a burst are sent.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Nothing,
    /// Each of these services is ended by a signal, once for each time that it is named.
    End(Signal, Vec<&'static str>),
    /// All services that consume are stopped for the time of [`Size::pause`] and then go on.
    Pause,
}

/// A scenario.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) name: String,
    /// What goes wrong, for people.
    pub(super) about: String,
    pub(super) history: Kind,
    /// Faults of the local cloud, from before the first event on.
    pub(super) faults: Vec<Value>,
    /// Whether the faults last for [`Size::outage`], because nothing gets done under them.
    pub(super) lasts: bool,
    pub(super) action: Action,
    /// Whether the quick form has it.
    pub(super) quick: bool,
}

impl Scenario {
    fn new(name: &str, about: &str) -> Self {
        Self {
            name: name.to_owned(),
            about: about.to_owned(),
            history: Kind::Everything,
            faults: Vec::new(),
            lasts: false,
            action: Action::Nothing,
            quick: true,
        }
    }

    fn with(self, faults: impl IntoIterator<Item = Value>) -> Self {
        Self { faults: faults.into_iter().collect(), ..self }
    }

    fn while_doing(self, action: Action) -> Self {
        Self { action, ..self }
    }

    fn in_long_form(self) -> Self {
        Self { quick: false, ..self }
    }
}

/// Returns all scenarios over the services of the layer.
pub(super) fn all() -> Vec<Scenario> {
    let services: Vec<_> = layer::names().collect();
    let mut all = vec![
        Scenario::new("calm", "nothing: what the account says without a fault"),
        Scenario::new("kill", "kill -9 of each service in turn")
            .while_doing(Action::End(Signal::SIGKILL, services.clone())),
    ];
    all.extend(services.iter().map(|service| {
        Scenario::new(&format!("kill-{service}"), &format!("kill -9 of {service}, three times"))
            .while_doing(Action::End(Signal::SIGKILL, vec![*service; 3]))
            .in_long_form()
    }));
    all.extend([
        Scenario::new("terminate", "SIGTERM to each service in turn, in the middle of the burst")
            .while_doing(Action::End(Signal::SIGTERM, services.clone())),
        Scenario::new("outlast", "all consumers stand still for longer than the visibility timeout")
            .while_doing(Action::Pause),
        Scenario::new("errors", "a fifth of all calls fail: throttled, or with an internal failure")
            .with(every_call("throttle", 0.1).chain(every_call("500", 0.11)).chain([first_pushes("500")])),
        Scenario::new("lost-answers", "a tenth of all calls are carried out and their answers lost")
            .with(every_call("drop-response", 0.1).chain([first_pushes("drop-response")])),
        Scenario {
            history: Kind::Shuffled,
            ..Scenario::new(
                "duplicates",
                "a tenth of the events sent and of the messages received come twice, in any order",
            )
        }
        .with([
            json!({"service": "sqs", "error": "duplicate", "probability": 0.1}),
            json!({"service": "sqs", "error": "reorder", "probability": 0.1}),
        ]),
        Scenario::new("slow-dynamodb", "every call of DynamoDB takes longer, a tenth of them 1.5 s").with([
            json!({"service": "dynamodb", "error": {"delay_ms": 100}}),
            json!({"service": "dynamodb", "error": {"delay_ms": 1_500}, "probability": 0.1}),
        ]),
        Scenario { lasts: true, ..Scenario::new("sns-away", "SNS is unavailable for half a minute") }
            .with([json!({"service": "sns", "error": "500"})]),
        Scenario {
            history: Kind::Points,
            ..Scenario::new(
                "points",
                "every event of points twice, in any order, while rewards, ingest and notifier are killed",
            )
        }
        .while_doing(Action::End(
            Signal::SIGKILL,
            vec![rewards::NAME, rewards::NAME, rewards::NAME, ingest::NAME, notifier::NAME],
        ))
        .in_long_form(),
    ]);
    if owns_bucket() {
        all.push(
            Scenario { lasts: true, ..Scenario::new("s3-refuses", "S3 refuses every call") }
                .with([json!({"service": "s3", "error": {"answer": {"code": "SlowDown", "status": 503}}})]),
        );
    }
    all
}

/// Returns a fault for every call that a service makes, and for what a Pipe does. The suite's own calls are not affected.
fn every_call(error: &str, probability: f64) -> impl Iterator<Item = Value> {
    let of_services = layer::names().flat_map(move |caller| {
        CALLED.map(|service| {
            json!({"service": service, "caller": caller, "error": error, "probability": probability})
        })
    });
    let of_pipes = json!({"service": "pipes", "error": "500", "probability": probability});
    of_services.chain([of_pipes])
}

/// Returns a fault for the first pushes to the webhook. More would fail twice, and what fails twice is repeated after five
/// minutes, as Standard Webhooks has it.
fn first_pushes(error: &str) -> Value {
    json!({"service": "webhook", "error": error, "times": 10})
}

fn owns_bucket() -> bool {
    layer::resources(contracts::APPLICATION, "local").is_ok_and(|resources| !resources.buckets.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_service_is_killed_and_terminated() {
        let all = all();
        let names: BTreeSet<_> = all.iter().map(|scenario| scenario.name.clone()).collect();
        assert_eq!(names.len(), all.len());
        for service in layer::names() {
            assert!(names.contains(&format!("kill-{service}")), "{service}");
            let ended = |scenario: &&Scenario| matches!(&scenario.action, Action::End(_, services) if services.contains(&service));
            assert!(all.iter().filter(|scenario| scenario.quick).filter(ended).count() >= 2, "{service}");
        }
    }
}
