//! Entity selectors: `service(…)` and `edge(…)`, as statistics over time take them.

use std::str::FromStr;

use super::evaluate::{calls, segments};
use super::expression::Expression;
use super::{FilterError, FilterExpression, Problem};
use crate::facts::{Facts, Outcome};

/// Which segments or calls of a trace are meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selector(Option<Expression>);

impl FromStr for Selector {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let FilterExpression(expression) = text.parse()?;
        match expression {
            Expression::Service(..) | Expression::Edge(..) => Ok(Self(Some(expression))),
            _ => {
                let problem = Problem::Expected {
                    expected: "service(…) or edge(…) alone".to_owned(),
                    found: "another expression".to_owned(),
                };
                Err(FilterError::new(1, problem))
            }
        }
    }
}

impl Selector {
    /// Whether segments are meant, rather than calls.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self.0, Some(Expression::Service(..)))
    }

    /// Passes start, outcome and response time of each segment or call that is meant. Without an expression these are the
    /// calls of entry points, which come from outside.
    pub(crate) fn select(&self, trace: &Facts, mut take: impl FnMut(f64, Outcome, Option<f64>)) {
        match &self.0 {
            Some(Expression::Service(pattern, condition)) => {
                for segment in segments(trace, pattern, condition.as_deref()) {
                    take(segment.start, segment.outcome, segment.response_time);
                }
            }
            Some(Expression::Edge(source, destination, condition)) => {
                for call in calls(trace, source, destination, condition.as_deref()) {
                    take(call.start, call.outcome, call.response_time);
                }
            }
            _ => {
                if let Some(root) = trace.root() {
                    take(root.start, root.outcome, root.response_time);
                }
            }
        }
    }
}
