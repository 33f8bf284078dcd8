//! Filter expressions, as `GetTraceSummaries` and X-Ray groups take them
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html>).
//!
//! Keywords and operators are read without regard to case; values have one. The guide does not say how AND, OR and
//! negation bind, and shows no parentheses: here `!` binds closest, then AND, which may be left out, then OR, and
//! parentheses group.

mod completion;
mod complex;
mod cursor;
mod error;
mod evaluate;
mod expression;
mod groups;
mod keyword;
mod needs;
mod note;
mod parse;
mod root_cause;
mod select;
mod value;
mod write;

#[cfg(test)]
mod tests;

use std::str::FromStr;

pub use self::completion::{Completion, Expected};
pub use self::error::{FilterError, Problem};
pub use self::expression::{
    AnnotationTest, CauseKind, CausePart, Comparison, End, Expression, GroupKey, NodePattern, TextComparison,
};
pub use self::keyword::{Flag, Number, Text};
pub(crate) use self::needs::{Indexed, Mark, Needs};
pub use self::note::ValueOf;
pub use self::root_cause::CausePattern;
pub(crate) use self::select::Selector;
use crate::facts::Facts;

/// A filter expression. The empty one matches every trace.
///
/// ```
/// use xray::{Segment, SegmentId, Trace, TraceId};
/// use xray_engine::{Facts, FilterExpression};
///
/// let filter: FilterExpression = r#"annotation.event_type = "CustomerRenamed" !fault responsetime < 2"#.parse()?;
/// let mut segment = Segment { end_time: Some(1.5), ..Segment::new("membership", SegmentId::from_bytes([1; 8]), 0.0) };
/// segment.annotations.insert("event_type".to_owned(), "CustomerRenamed".into());
/// let trace = Trace::assemble(TraceId::from_bytes([1; 16]), vec![segment]);
/// assert!(filter.matches(&Facts::of(&trace)));
/// # Ok::<(), xray_engine::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FilterExpression(Expression);

impl FilterExpression {
    /// Whether a trace with these facts matches.
    #[must_use]
    pub fn matches(&self, trace: &Facts) -> bool {
        self.0.matches(trace)
    }

    /// Returns the expression as a tree.
    #[must_use]
    pub fn expression(&self) -> &Expression {
        &self.0
    }
}

impl From<FilterExpression> for Expression {
    fn from(filter: FilterExpression) -> Self {
        filter.0
    }
}

impl Default for FilterExpression {
    fn default() -> Self {
        Self(Expression::All(Vec::new()))
    }
}

impl From<Expression> for FilterExpression {
    fn from(expression: Expression) -> Self {
        Self(expression)
    }
}

impl FromStr for FilterExpression {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::parse(text).map(Self)
    }
}
