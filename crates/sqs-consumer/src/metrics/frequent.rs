//! What is measured of every message. Its attributes are looked up once for each of their few combinations, not for each
//! message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, BoundHistogram, Histogram};

/// The most types of events that are remembered. A foreign producer could send any number.
const REMEMBERED: usize = 200;

/// A histogram with one set of attributes, bound when it is first recorded: until then there is nothing to export.
pub(crate) struct Lazily {
    histogram: Histogram<f64>,
    attributes: Vec<KeyValue>,
    bound: OnceLock<BoundHistogram<f64>>,
}

impl Lazily {
    pub(crate) fn new(histogram: &Histogram<f64>, attributes: Vec<KeyValue>) -> Self {
        Self { histogram: histogram.clone(), attributes, bound: OnceLock::new() }
    }

    pub(crate) fn record(&self, value: f64) {
        self.bound.get_or_init(|| self.histogram.bind(&self.attributes)).record(value);
    }
}

/// What is measured for each type of event.
pub(crate) struct OfType {
    /// The age of events when they are received.
    pub(crate) received: Lazily,
    /// The age of events when they are done.
    pub(crate) done: Lazily,
    pub(crate) event_type: KeyValue,
    /// Messages by outcome, of which a service has a handful.
    outcomes: Mutex<Vec<(&'static str, BoundCounter<u64>)>>,
}

impl OfType {
    pub(crate) fn new(event_type: KeyValue, received: Lazily, done: Lazily) -> Self {
        Self { event_type, received, done, outcomes: Mutex::default() }
    }

    /// Counts a message with this outcome in what `bind` returns.
    pub(crate) fn handled(&self, outcome: &'static str, bind: impl FnOnce() -> BoundCounter<u64>) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bound)) = outcomes.iter().find(|(known, _)| *known == outcome) {
            return bound.add(1);
        }
        let bound = bind();
        bound.add(1);
        outcomes.push((outcome, bound));
    }
}

/// The types of events seen so far.
#[derive(Default)]
pub(crate) struct Types(RwLock<HashMap<String, Arc<OfType>>>);

impl Types {
    /// Returns what is measured for a type of event, made by `new` if the type is.
    pub(crate) fn of(&self, event_type: &str, new: impl FnOnce() -> OfType) -> Arc<OfType> {
        let types = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = types.get(event_type) {
            return Arc::clone(known);
        }
        drop(types);
        let of_type = Arc::new(new());
        let mut types = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if types.len() < REMEMBERED {
            return Arc::clone(types.entry(event_type.to_owned()).or_insert(of_type));
        }
        of_type
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::SdkMeterProvider;

    use super::*;

    #[test]
    fn the_memory_is_bounded_and_every_type_is_still_measured() {
        let meter = SdkMeterProvider::default().meter("test");
        let histogram = meter.f64_histogram("ages").build();
        let lazily = || Lazily::new(&histogram, Vec::new());
        let types = Types::default();
        for number in 0..=REMEMBERED {
            let event_type = number.to_string();
            let new = || OfType::new(KeyValue::new("type", event_type.clone()), lazily(), lazily());
            types.of(&event_type, new).received.record(1.0);
        }
        assert_eq!(types.0.read().unwrap().len(), REMEMBERED);
        let known = types.of("0", || unreachable!("it is remembered"));
        assert!(Arc::ptr_eq(&known, &types.of("0", || unreachable!("it is remembered"))));
    }
}
