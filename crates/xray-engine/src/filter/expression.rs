//! An expression as a value: matching and writing.

use std::fmt;

use xray::{AnnotationValue, Annotations};

/// A filter expression: every condition must hold, each on any segment of the trace. The empty one matches every trace.
///
/// ```
/// use xray::{Annotations, Segment, SegmentId};
/// use xray_engine::FilterExpression;
///
/// let filter: FilterExpression = r#"annotation.event_type = "CustomerRenamed" AND annotation.attempt = 2"#.parse()?;
/// let mut segment = Segment::new("membership", SegmentId::from_bytes([1; 8]), 0.0);
/// segment.annotations.insert("event_type".to_owned(), "CustomerRenamed".into());
/// segment.annotations.insert("attempt".to_owned(), 2.into());
/// let mut annotations = Annotations::default();
/// annotations.add(&segment);
/// assert!(filter.matches(&annotations));
/// # Ok::<(), xray_engine::FilterError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterExpression {
    /// The conditions, in the order in which they were written.
    pub conditions: Vec<Condition>,
}

/// One condition: an annotation with this key has this value, of the same type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The key of the annotation.
    pub key: String,
    /// The value it must have.
    pub value: AnnotationValue,
}

impl FilterExpression {
    /// Whether a trace with these annotations matches.
    #[must_use]
    pub fn matches(&self, annotations: &Annotations) -> bool {
        self.conditions.iter().all(|condition| {
            annotations.values(&condition.key).iter().any(|value| equal(value, &condition.value))
        })
    }
}

/// Compares numbers by value, so that `2` finds 2.0, and everything else only within its type.
fn equal(a: &AnnotationValue, b: &AnnotationValue) -> bool {
    match (a, b) {
        (AnnotationValue::Number(a), AnnotationValue::Number(b)) => {
            a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a.total_cmp(&b).is_eq())
        }
        _ => a == b,
    }
}

impl fmt::Display for FilterExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, condition) in self.conditions.iter().enumerate() {
            if number > 0 {
                f.write_str(" AND ")?;
            }
            condition.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() && self.key.chars().all(is_plain) {
            write!(f, "annotation.{} = ", self.key)?;
        } else {
            write!(f, "annotation[{}] = ", self.key)?;
        }
        match &self.value {
            AnnotationValue::Text(text) => {
                write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            other => other.fmt(f),
        }
    }
}

/// Whether a key consists of such characters only and needs no brackets.
pub(super) fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}
