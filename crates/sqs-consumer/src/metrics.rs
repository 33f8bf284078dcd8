//! The consumer's metrics. None has a customer or an event as an attribute: those belong in log lines and traces.

mod frequent;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use opentelemetry_semantic_conventions::{attribute, metric};
use telemetry::{attributes, bounds};

use crate::conclusion::{Conclusion, DEAD_LETTER, Problem, RELEASED, RETRY};
use crate::in_hand::InHand;

pub(crate) use self::frequent::OfType;
use self::frequent::{Lazily, Types};

/// Ages of events, when received and when done.
pub(crate) const EVENT_AGE: &str = "consumer.event.age";
/// Delays of events of this hop alone: since they were published, when done.
pub(crate) const EVENT_DELAY: &str = "consumer.event.delay";
/// Messages by outcome.
pub(crate) const OUTCOMES: &str = "consumer.messages";
/// Messages returned to the queue to be retried.
pub(crate) const RETRIES: &str = "consumer.retries";
/// Messages moved to the dead-letter queue.
pub(crate) const DEAD_LETTERS: &str = "consumer.dead_letters";
/// Messages whose dead letters are refused, so that SQS moves them without a reason.
pub(crate) const UNDELIVERABLE: &str = "consumer.dead_letters.refused";
/// Messages in flight.
pub(crate) const IN_FLIGHT: &str = "consumer.in_flight";
/// Messages received as a share of those requested.
pub(crate) const BATCH_FILL: &str = "consumer.batch.fill";
/// Receives that should be in flight.
pub(crate) const POLLERS: &str = "consumer.pollers";
/// Visibility extensions, successful or failed.
pub(crate) const EXTENSIONS: &str = "consumer.visibility.extensions";
/// Messages whose delete or visibility change never succeeded.
pub(crate) const UNSETTLED: &str = "consumer.unsettled";
/// One while receiving pauses because most messages are rejected for one reason.
pub(crate) const BRAKE_ENGAGED: &str = "consumer.brake.engaged";
/// One while receiving pauses because a dependency is unavailable or misconfigured.
pub(crate) const CIRCUIT_OPEN: &str = "consumer.circuit.open";

/// The metric attribute for why a message failed.
const REASON: &str = "reason";
/// The metric attribute for the dependency it failed on.
const DEPENDENCY: &str = "dependency";
/// The metric attribute for when an event's age was measured, `received` or `done`.
const STAGE: &str = "stage";

/// The operation of handling a message.
const PROCESS: &str = "process";

/// Bucket bounds for ages in seconds: from delays no customer notices to those that end on the dead-letter queue.
const AGES: [f64; 14] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0];
/// Bucket bounds for shares.
const SHARES: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// The instruments, with the attributes common to all measurements. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Instruments>);

struct Instruments {
    common: [KeyValue; 2],
    consumed: Counter<u64>,
    process_duration: Histogram<f64>,
    call_duration: Histogram<f64>,
    event_age: Histogram<f64>,
    outcomes: Counter<u64>,
    retries: Counter<u64>,
    dead_letters: Counter<u64>,
    undeliverable: Counter<u64>,
    /// What is measured of every message, by its type of event.
    types: Types,
    /// The time taken to handle a message, if it succeeded.
    handled_duration: Lazily,
    /// The delay of an event that is done.
    delay: Lazily,
    batch_fill: Histogram<f64>,
    pollers: Gauge<u64>,
    extensions: Counter<u64>,
    unsettled: Counter<u64>,
    circuit_open: Gauge<u64>,
    brake_engaged: Gauge<u64>,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter, queue: &str, in_hand: &Arc<InHand>) -> Self {
        let counter = |name, text| meter.u64_counter(name).with_description(text).build();
        let histogram = |name, unit, bounds: &[f64], text| {
            let builder = meter.f64_histogram(name).with_unit(unit).with_description(text);
            builder.with_boundaries(bounds.to_vec()).build()
        };
        let common = [
            KeyValue::new(attribute::MESSAGING_SYSTEM, crate::trace::AWS_SQS),
            KeyValue::new(attribute::MESSAGING_DESTINATION_NAME, queue.to_owned()),
        ];
        report_in_flight(meter, common.clone(), in_hand);
        let process_duration = histogram(
            metric::MESSAGING_PROCESS_DURATION,
            "s",
            &bounds::DURATIONS,
            "time taken to handle a message",
        );
        let event_delay = histogram(EVENT_DELAY, "s", &AGES, "time since the event was published");
        let mut processing = common.to_vec();
        processing.push(KeyValue::new(attribute::MESSAGING_OPERATION_NAME, PROCESS));
        Self(Arc::new(Instruments {
            types: Types::default(),
            handled_duration: Lazily::new(&process_duration, processing),
            delay: Lazily::new(&event_delay, common.to_vec()),
            common,
            process_duration,
            consumed: counter(metric::MESSAGING_CLIENT_CONSUMED_MESSAGES, "messages received"),
            call_duration: histogram(
                metric::MESSAGING_CLIENT_OPERATION_DURATION,
                "s",
                &bounds::DURATIONS,
                "time taken by calls to the queue",
            ),
            event_age: histogram(EVENT_AGE, "s", &AGES, "time since the event occurred"),
            outcomes: counter(OUTCOMES, "messages by outcome"),
            retries: counter(RETRIES, "messages to be retried"),
            dead_letters: counter(DEAD_LETTERS, "messages moved to the dead-letter queue"),
            undeliverable: counter(UNDELIVERABLE, "messages whose dead letters are refused"),
            batch_fill: histogram(
                BATCH_FILL,
                "1",
                &SHARES,
                "messages received as a share of those requested",
            ),
            pollers: meter.u64_gauge(POLLERS).with_description("target number of receives in flight").build(),
            extensions: counter(EXTENSIONS, "visibility extensions"),
            unsettled: counter(UNSETTLED, "messages whose delete or visibility change never succeeded"),
            circuit_open: meter
                .u64_gauge(CIRCUIT_OPEN)
                .with_description(
                    "1 while receiving pauses because a dependency is unavailable or misconfigured",
                )
                .build(),
            brake_engaged: meter
                .u64_gauge(BRAKE_ENGAGED)
                .with_description("1 while receiving pauses because most messages are rejected")
                .build(),
        }))
    }

    fn with<const N: usize>(&self, more: [KeyValue; N]) -> Vec<KeyValue> {
        self.0.common.iter().cloned().chain(more).collect()
    }

    /// Records a receive that succeeded.
    pub(crate) fn received(&self, requested: usize, received: usize, took: Duration) {
        self.call("receive", took, None);
        if received > 0 {
            let name = KeyValue::new(attribute::MESSAGING_OPERATION_NAME, "receive");
            self.0.consumed.add(received as u64, &self.with([name]));
        }
        // Both are at most ten.
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        self.0.batch_fill.record(received as f64 / requested as f64, &self.0.common);
    }

    /// Records a call to the queue.
    pub(crate) fn call(&self, operation: &'static str, took: Duration, error: Option<&str>) {
        let mut attributes = self.with([KeyValue::new(attribute::MESSAGING_OPERATION_NAME, operation)]);
        if let Some(code) = error {
            attributes.push(KeyValue::new(attribute::ERROR_TYPE, code.to_owned()));
        }
        self.0.call_duration.record(took.as_secs_f64(), &attributes);
    }

    /// Returns what is measured for a type of event.
    pub(crate) fn of(&self, event_type: &str) -> Arc<OfType> {
        self.0.types.of(event_type, || {
            let event_type = KeyValue::new(attributes::EVENT_TYPE, event_type.to_owned());
            let at = |stage| self.with([KeyValue::new(STAGE, stage), event_type.clone()]);
            let age = |stage| Lazily::new(&self.0.event_age, at(stage));
            OfType::new(event_type.clone(), age("received"), age("done"))
        })
    }

    /// Records how long ago an event was published when it is done.
    pub(crate) fn event_delay(&self, delay: Duration) {
        self.0.delay.record(delay.as_secs_f64());
    }

    /// Records the end of a message.
    pub(crate) fn processed(&self, took: Duration, of_type: Option<&OfType>, conclusion: &Conclusion) {
        let outcome = KeyValue::new(attributes::OUTCOME, conclusion.outcome);
        if let (Some(of_type), None) = (of_type, &conclusion.problem) {
            of_type.handled(conclusion.outcome, || {
                self.0.outcomes.bind(&self.with([outcome, of_type.event_type.clone()]))
            });
            return self.0.handled_duration.record(took.as_secs_f64());
        }
        let mut attributes = self.with([outcome]);
        attributes.extend(of_type.map(|of_type| of_type.event_type.clone()));
        let mut duration = self.with([KeyValue::new(attribute::MESSAGING_OPERATION_NAME, PROCESS)]);
        if let Some(Problem { reason, dependency, .. }) = &conclusion.problem {
            let mut why = vec![KeyValue::new(REASON, *reason)];
            why.extend(dependency.map(|dependency| KeyValue::new(DEPENDENCY, dependency)));
            attributes.extend(why.iter().cloned());
            duration.push(KeyValue::new(attribute::ERROR_TYPE, *reason));
            why.extend(self.0.common.iter().cloned());
            match conclusion.outcome {
                RETRY => self.0.retries.add(1, &why),
                DEAD_LETTER => self.0.dead_letters.add(1, &why),
                _ => {}
            }
        }
        self.0.outcomes.add(1, &attributes);
        self.0.process_duration.record(took.as_secs_f64(), &duration);
    }

    /// Records a message whose dead letter is refused.
    pub(crate) fn undeliverable(&self, problem: &Problem) {
        let mut attributes = self.with([KeyValue::new(REASON, problem.reason)]);
        attributes.extend(problem.dependency.map(|dependency| KeyValue::new(DEPENDENCY, dependency)));
        self.0.undeliverable.add(1, &attributes);
    }

    /// Records messages released without having been handled.
    pub(crate) fn released(&self, messages: usize) {
        let outcome = KeyValue::new(attributes::OUTCOME, RELEASED);
        self.0.outcomes.add(messages as u64, &self.with([outcome]));
    }

    pub(crate) fn pollers(&self, wanted: usize) {
        self.0.pollers.record(wanted as u64, &self.0.common);
    }

    pub(crate) fn extended(&self, error: Option<&str>) {
        let mut attributes = self.with([]);
        attributes.extend(error.map(|code| KeyValue::new(attribute::ERROR_TYPE, code.to_owned())));
        self.0.extensions.add(1, &attributes);
    }

    pub(crate) fn unsettled(&self, operation: &'static str, code: &str) {
        let attributes = self.with([
            KeyValue::new(attribute::MESSAGING_OPERATION_NAME, operation),
            KeyValue::new(attribute::ERROR_TYPE, code.to_owned()),
        ]);
        self.0.unsettled.add(1, &attributes);
    }

    pub(crate) fn brake_engaged(&self, engaged: bool) {
        self.0.brake_engaged.record(u64::from(engaged), &self.0.common);
    }

    pub(crate) fn circuit_open(&self, open: bool) {
        self.0.circuit_open.record(u64::from(open), &self.0.common);
    }
}

/// Registers the gauge of messages in flight. It is a gauge because the collector's CloudWatch exporter treats the sum of an
/// up-down counter as a running total and sends only its increase.
fn report_in_flight(meter: &Meter, attributes: [KeyValue; 2], in_hand: &Arc<InHand>) {
    let in_hand = Arc::clone(in_hand);
    meter
        .u64_observable_gauge(IN_FLIGHT)
        .with_description("messages in flight")
        .with_callback(move |gauge| gauge.observe(in_hand.messages() as u64, &attributes))
        .build();
}
