//! The resources of the checks: declared like those of services, created for the run and removed after it.

use std::sync::Arc;

use anyhow::Context as _;
use cloudformation::Scratch as Content;
use envelope::{Event, events};
use serde::{Deserialize, Serialize};
use topology::{MailFeedback, Resources, Service, Table, Topic, Topology, TopologyError, topic};

use super::full::Full;
use super::stack::{NotBegun, Stack};
use crate::place::Place;

/// The first part of every name, and the value of the tag `application`.
const APPLICATION: &str = "foostore";
/// The maximum receive count of [`REDRIVE`]: with 1, the second receive moves a message to the dead-letter queue.
/// Services have a far higher one.
const MAX_RECEIVE_COUNT: u32 = 1;

/// Consumes the announcements of the outbox.
pub(super) const PIPE: &str = "pipe";
/// Consumes the events put on the bus.
pub(super) const BUS: &str = "bus";
/// Receives from the topic.
pub(super) const TOPIC: &str = "topic";
/// Owns the queue whose messages are moved.
pub(super) const REDRIVE: &str = "redrive";
/// Sends a mail and consumes what becomes of it.
pub(super) const MAIL: &str = "mail";
/// Consumes an event from a queue that is encrypted, in a full run.
pub(super) const SEALED: &str = "sealed";
/// Receives from an encrypted topic on an encrypted queue, in a full run.
pub(super) const SEALED_TOPIC: &str = "sealed-topic";
/// The encrypted topic.
pub(super) const SEALED_NOTICES: &str = "sealed-notices";
/// The table with an outbox.
pub(super) const TABLE: &str = "items";
/// The topic.
pub(super) const NOTICES: &str = "notices";

macro_rules! event {
    ($name:ident, $what:literal) => {
        #[doc = $what]
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) struct $name {
            /// Identifies the event of this run.
            pub(super) mark: String,
        }

        impl Event for $name {
            const TYPE: &'static str = stringify!($name);
            const SOURCE: &'static str = "foostore.verify";
            fn customer_number(&self) -> &'static str {
                // The event concerns no customer.
                ""
            }
        }
    };
}
event!(ThroughPipe, "Announced through the outbox.");
event!(OverBus, "Put on the bus.");
event!(NeverSent, "Consumed by `redrive`, so that it has a queue.");
event!(UnderKey, "Put on the bus for an encrypted queue.");
event!(MailReturned, "A mail came back; its tag is the mark.");

/// The tag of a mail that identifies the run's.
pub(super) const MARK: &str = "mark";
/// The sender's name before the `@`, where the run itself creates the identity.
pub(super) const MAILBOX: &str = "verify";

/// The scratch resources of one run.
#[derive(Debug)]
pub(super) struct Scratch {
    /// The first part of each physical name, and the name of the bus and of the stack.
    pub(super) name: String,
    place: Place,
    made: Made,
}

/// How the resources are created.
#[derive(Debug)]
enum Made {
    /// The stack, and in a full run those beside it.
    ByStack(Arc<Stack>, Option<Arc<Full>>),
    ByCalls(Box<Resources>),
}

impl Scratch {
    /// Uses one CloudFormation stack, and in a full run several.
    ///
    /// # Errors
    /// When a template cannot be rendered.
    pub(super) fn stack(place: Place, full: bool) -> anyhow::Result<Self> {
        let environment = environment();
        let template = template(full)?;
        let name = resources(&environment, full)?.bus;
        let stack = Stack::new(&place.config, &name, &environment, template);
        let full = if full { Some(Arc::new(Full::new(&place.config, &name, &environment)?)) } else { None };
        Ok(Self { name, place, made: Made::ByStack(Arc::new(stack), full) })
    }

    /// Uses single calls, for an emulator without CloudFormation.
    ///
    /// # Errors
    /// When the declarations contradict each other.
    pub(super) fn calls(place: Place) -> anyhow::Result<Self> {
        let resources = resources(&environment(), false)?;
        Ok(Self { name: resources.bus.clone(), place, made: Made::ByCalls(Box::new(resources)) })
    }

    /// Names what will be created.
    pub(super) fn text(&self) -> String {
        match &self.made {
            Made::ByStack(_, None) => format!("stack {}", self.name),
            Made::ByStack(_, Some(full)) => {
                format!("stack {} and {} more, {0}-…", self.name, full.stacks().count())
            }
            Made::ByCalls(_) => format!("resources {}-…", self.name),
        }
    }

    /// Returns the address that the run itself verifies: only an emulator verifies one without its owner.
    pub(super) fn sender(&self) -> Option<String> {
        match &self.made {
            Made::ByStack(..) => None,
            Made::ByCalls(resources) => resources.email_sender.clone(),
        }
    }

    /// Returns what a full run creates beside the stack.
    pub(super) fn full(&self) -> Option<Arc<Full>> {
        match &self.made {
            Made::ByStack(_, full) => full.clone(),
            Made::ByCalls(_) => None,
        }
    }

    /// Starts creating everything.
    ///
    /// # Errors
    /// When the request was refused, or resources may have been created in part.
    pub(super) async fn begin(&self) -> Result<(), NotBegun> {
        match &self.made {
            Made::ByStack(stack, _) => stack.begin().await,
            Made::ByCalls(resources) => provisioning::provision(resources, &self.place.config)
                .await
                .map(drop)
                .map_err(|error| NotBegun::InPart(error.into())),
        }
    }

    /// Waits until everything exists.
    ///
    /// # Errors
    /// When something could not be created.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        match &self.made {
            Made::ByStack(stack, _) => stack.ready().await,
            Made::ByCalls(_) => Ok(()),
        }
    }

    /// Removes everything, and waits for the removal.
    ///
    /// # Errors
    /// When something is left.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        match &self.made {
            Made::ByStack(stack, full) => {
                // The others use the key and the bus of the stack.
                let others = match full {
                    Some(full) => full.remove().await,
                    None => Ok(()),
                };
                let removed = stack.remove().await;
                match (others, removed) {
                    (Err(others), Err(error)) => Err(anyhow::anyhow!("{others:#}; {error:#}")),
                    (Ok(()), removed) => removed,
                    (others, Ok(())) => others,
                }
            }
            Made::ByCalls(resources) => provisioning::remove(resources, &self.place.config)
                .await
                .context("not everything could be removed"),
        }
    }

    /// Describes how to remove everything by hand.
    pub(super) fn by_hand(&self) -> String {
        let options = self.place.cli_options();
        match &self.made {
            Made::ByStack(stack, full) => {
                let others = full.iter().flat_map(|full| full.stacks()).map(|stack| stack.name());
                let each = others.chain([stack.name()]);
                let each =
                    each.map(|name| format!("aws cloudformation delete-stack --stack-name {name} {options}"));
                each.collect::<Vec<_>>().join("; ")
            }
            Made::ByCalls(_) => {
                format!(
                    "deleting the bus, rules, queues, topic, table, configuration set and Pipe named {}… ({options})",
                    self.name
                )
            }
        }
    }
}

/// Returns a new environment name for each run. Five letters and digits make sixty million names, and CloudFormation
/// refuses the name of an existing stack. The templates accept twelve characters.
fn environment() -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let random: [u8; 5] = rand::random();
    let letters = random.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    letters.fold("verify-".to_owned(), |name, letter| name + letter.encode_utf8(&mut [0; 4]))
}

/// Renders the stack.
fn template(full: bool) -> anyhow::Result<String> {
    let content =
        if full { Content::WithKey { sealed: &[SEALED, SEALED_TOPIC, MAIL] } } else { Content::Plain };
    Ok(cloudformation::scratch(&resources(cloudformation::ENVIRONMENT, full)?, content)?)
}

fn resources(environment: &str, full: bool) -> Result<Resources, TopologyError> {
    let mut topology = Topology::new(APPLICATION, environment)
        .service(
            Service::new("sender")
                .publishes_to_bus()
                .emits::<(OverBus, NeverSent)>()
                .publishes(Topic::new(NOTICES)),
        )
        .service(
            Service::new(PIPE)
                .consumes(events::<(ThroughPipe,)>())
                .owns(Table::new(TABLE).outbox())
                .emits::<(ThroughPipe,)>(),
        )
        .service(Service::new(BUS).consumes(events::<(OverBus,)>()))
        .service(Service::new(TOPIC).receives(topic(NOTICES)))
        .service(
            Service::new(MAIL)
                .sends_email_as(MAILBOX)
                .consumes_mail_feedback(MailFeedback::of::<MailReturned>().tag(MARK)),
        )
        .service(Service::new(REDRIVE).consumes(events::<(NeverSent,)>()));
    if full {
        topology = topology
            .service(
                Service::new("sealer")
                    .publishes_to_bus()
                    .emits::<(UnderKey,)>()
                    .publishes(Topic::new(SEALED_NOTICES)),
            )
            .service(Service::new(SEALED).consumes(events::<(UnderKey,)>()))
            .service(Service::new(SEALED_TOPIC).receives(topic(SEALED_NOTICES)));
    }
    let mut resources = topology.resources()?;
    let redrive = resources.physical_name(REDRIVE);
    for queue in resources.queues.iter_mut().filter(|queue| queue.name == redrive) {
        if let Some(dead_letter) = &mut queue.dead_letter {
            dead_letter.max_receive_count = MAX_RECEIVE_COUNT;
        }
    }
    Ok(resources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_new_name_that_the_template_accepts() {
        let (one, other) = (environment(), environment());
        assert_ne!(one, other);
        assert_eq!(one.len(), "verify-".len() + 5);
        assert_eq!(resources(&one, true).unwrap().bus, format!("foostore-{one}"));
    }

    #[test]
    fn the_pipe_equals_that_of_the_layer() {
        let scratch = resources("x", true).unwrap();
        let layer = crate::layer::resources("foostore", "x").unwrap();
        let (scratch, layer) = (&scratch.pipes[0], &layer.pipes[0]);
        assert_eq!(scratch.target, layer.target);
        assert_eq!(scratch.filter_pattern, layer.filter_pattern);
        for full in [false, true] {
            let length = template(full).unwrap().len();
            assert!(length < 51_200, "a template in a call must not be longer: {length}");
        }
    }

    #[test]
    fn the_transformers_equal_those_of_the_layer() {
        // Up to the data, which consists of other tags, and but for the source.
        let metadata = |resources: &Resources| {
            let transformers = resources.rules.iter().filter_map(|rule| rule.transformer.as_ref());
            let of_template = |template: &str| {
                let (start, _) = template.split_once(r#""data""#).unwrap();
                start.split_once(r#""detail-type""#).unwrap().1.to_owned()
            };
            transformers.map(|transformer| of_template(&transformer.template)).collect::<Vec<_>>()
        };
        let layer = metadata(&crate::layer::resources("foostore", "x").unwrap());
        assert_eq!(metadata(&resources("x", true).unwrap()), layer);
        assert_eq!(layer.len(), 2);
    }
}
