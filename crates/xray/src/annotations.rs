//! The annotations of a whole trace.

use std::collections::BTreeMap;

use crate::{AnnotationValue, Segment};

/// The annotations that X-Ray indexes for a trace
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-annotations>).
const MAX_ANNOTATIONS: usize = 50;
/// The longest key, in characters
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-sdk-java-segment.html#xray-sdk-java-segment-annotations>).
const MAX_KEY: usize = 500;

/// The annotations of a trace by key, each value once. What X-Ray does not index is left out: keys with other than letters,
/// digits, underscores and dots, and everything beyond the fiftieth key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(BTreeMap<String, Vec<AnnotationValue>>);

impl Annotations {
    /// Adds the annotations of a segment and of the subsegments embedded in it. Returns a key that is left out, if one is.
    pub fn add<'a>(&mut self, segment: &'a Segment) -> Option<&'a str> {
        let mut left_out = None;
        for (key, value) in &segment.annotations {
            let full = self.0.len() >= MAX_ANNOTATIONS && !self.0.contains_key(key);
            if full || !is_key(key) {
                left_out = Some(key.as_str());
                continue;
            }
            let values = self.0.entry(key.clone()).or_default();
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        for embedded in &segment.subsegments {
            left_out = self.add(embedded).or(left_out);
        }
        left_out
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

fn is_key(key: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    !key.is_empty() && key.chars().count() <= MAX_KEY && key.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SegmentId;

    fn with(keys: impl IntoIterator<Item = String>) -> Segment {
        let mut segment = Segment::new("ingest", SegmentId::from_bytes([1; 8]), 1.0);
        segment.annotations = keys.into_iter().map(|key| (key, AnnotationValue::from(1))).collect();
        segment
    }

    #[test]
    fn what_x_ray_does_not_index_is_left_out_and_named() {
        let mut annotations = Annotations::default();
        assert_eq!(annotations.add(&with(["a_b.c7".to_owned()])), None);
        assert_eq!(annotations.add(&with(["a b".to_owned(), "customer".to_owned()])), Some("a b"));
        assert_eq!(annotations.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["a_b.c7", "customer"]);

        let many = with((0..60).map(|number| format!("k{number:02}")));
        assert_eq!(annotations.add(&many), Some("k59"));
        assert_eq!(annotations.iter().count(), 50);
        // A known key has room for further values.
        let mut again = with([]);
        again.annotations.insert("customer".to_owned(), AnnotationValue::from(2));
        assert_eq!(annotations.add(&again), None);
        assert_eq!(annotations.values("customer").len(), 2);
    }
}
