//! The annotations of a whole trace.

use std::collections::BTreeMap;

use crate::{AnnotationValue, Segment};

/// The annotations of a trace by key, each value once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(BTreeMap<String, Vec<AnnotationValue>>);

impl Annotations {
    /// Adds the annotations of a segment and of the subsegments embedded in it.
    pub fn add(&mut self, segment: &Segment) {
        for (key, value) in &segment.annotations {
            let values = self.0.entry(key.clone()).or_default();
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        for embedded in &segment.subsegments {
            self.add(embedded);
        }
    }

    /// Returns the values of a key.
    #[must_use]
    pub fn values(&self, key: &str) -> &[AnnotationValue] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// Iterates over the keys with their values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[AnnotationValue])> {
        self.0.iter().map(|(key, values)| (key.as_str(), values.as_slice()))
    }
}
