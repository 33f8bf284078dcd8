//! What a trace must have, at least, for an expression to hold, as far as an index can tell.

use super::expression::{AnnotationTest, Comparison, Expression, NodePattern, TextComparison};
use super::keyword::{Flag, Number};

/// A necessary condition. Where it is false, the expression does not hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Needs {
    /// Nothing in particular.
    Nothing,
    /// The string occurs, as the name of a service, the value of an annotation, or anything else.
    Word(String),
    /// A string that compares so occurs.
    Text(TextComparison, String),
    /// Something in the trace, or something it called, took so long, in seconds.
    Took(Comparison, f64),
    /// Something in the trace, or something it called, has the mark.
    Mark(Mark),
    /// The entry point's response took so long, in seconds.
    ResponseTime(Comparison, f64),
    /// Everything took so long, in seconds.
    Duration(Comparison, f64),
    /// All of them.
    All(Vec<Needs>),
    /// One of them.
    Any(Vec<Needs>),
}

/// What anything in a trace can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It failed because of the client.
    Error,
    /// It was throttled.
    Throttle,
    /// It failed because of the server.
    Fault,
    /// It is in progress.
    Partial,
    /// It was called, but sent no segment.
    Inferred,
}

/// What an index knows of a trace, or of several.
pub(crate) trait Indexed {
    /// Whether a string may occur.
    fn has_word(&self, word: &str) -> bool;

    /// Whether a string for which `wanted` returns true may occur.
    fn has_text(&self, wanted: impl Fn(&str) -> bool) -> bool;

    /// Whether something may have taken at least so many seconds.
    fn has_taken(&self, seconds: f64) -> bool;

    /// Whether a mark may occur.
    fn has_mark(&self, mark: Mark) -> bool;

    /// Whether the entry point's response time, in seconds, may be one for which `wanted` returns true.
    fn has_response_time(&self, wanted: impl Fn(f64) -> bool) -> bool;

    /// The same for the duration.
    fn has_duration(&self, wanted: impl Fn(f64) -> bool) -> bool;
}

impl Needs {
    /// Returns what an expression on traces needs.
    pub(crate) fn of(expression: &Expression) -> Self {
        match expression {
            Expression::All(conditions) => Self::All(conditions.iter().map(Self::of).collect()),
            Expression::Any(conditions) => Self::Any(conditions.iter().map(Self::of).collect()),
            Expression::Number(Number::ResponseTime, comparison, wanted) => {
                Self::ResponseTime(*comparison, *wanted)
            }
            Expression::Number(Number::Duration, comparison, wanted) => Self::Duration(*comparison, *wanted),
            other => Self::anywhere(other),
        }
    }

    /// Returns what a condition on any part of a trace needs.
    fn anywhere(condition: &Expression) -> Self {
        match condition {
            Expression::All(conditions) => Self::All(conditions.iter().map(Self::anywhere).collect()),
            Expression::Any(conditions) => Self::Any(conditions.iter().map(Self::anywhere).collect()),
            Expression::Flag(flag) => Self::of_flag(*flag),
            Expression::Text(_, comparison, wanted) => Self::of_text(*comparison, wanted),
            Expression::Number(Number::ResponseTime | Number::Duration, comparison, wanted) => {
                Self::Took(*comparison, *wanted)
            }
            Expression::Annotation(_, key, AnnotationTest::Text(comparison, wanted)) => {
                Self::All(vec![Self::Word(key.clone()), Self::of_text(*comparison, wanted)])
            }
            Expression::Annotation(_, key, _) => Self::Word(key.clone()),
            Expression::Service(pattern, inner) => {
                Self::All(vec![Self::of_node(pattern), Self::within(inner.as_deref())])
            }
            Expression::Edge(source, destination, inner) => Self::All(vec![
                Self::of_node(source),
                Self::of_node(destination),
                Self::within(inner.as_deref()),
            ]),
            Expression::RootCause(.., inner) => Self::within(inner.as_deref()),
            Expression::Not(_)
            | Expression::Number(..)
            | Expression::IsSet(_)
            | Expression::Group(..)
            | Expression::CausePattern(_) => Self::Nothing,
        }
    }

    fn within(condition: Option<&Expression>) -> Self {
        condition.map_or(Self::Nothing, Self::anywhere)
    }

    fn of_text(comparison: TextComparison, wanted: &str) -> Self {
        match comparison {
            TextComparison::Equal => Self::Word(wanted.to_owned()),
            // Nearly every string.
            TextComparison::NotEqual => Self::Nothing,
            other => Self::Text(other, wanted.to_owned()),
        }
    }

    fn of_flag(flag: Flag) -> Self {
        match flag {
            Flag::Error => Self::Mark(Mark::Error),
            Flag::Throttle => Self::Mark(Mark::Throttle),
            Flag::Fault => Self::Mark(Mark::Fault),
            Flag::Partial => Self::Mark(Mark::Partial),
            Flag::Inferred => Self::Mark(Mark::Inferred),
            Flag::Ok | Flag::Root | Flag::First | Flag::Last | Flag::Remote => Self::Nothing,
        }
    }

    fn of_node(pattern: &NodePattern) -> Self {
        let words = [&pattern.name, &pattern.kind, &pattern.account_id];
        Self::All(words.into_iter().flatten().cloned().map(Self::Word).collect())
    }

    /// Whether it can be true for what is indexed.
    pub(crate) fn may_hold(&self, index: &impl Indexed) -> bool {
        match self {
            Self::Nothing => true,
            Self::Word(word) => index.has_word(word),
            Self::Text(comparison, wanted) => index.has_text(|text| comparison.holds(text, wanted)),
            Self::Took(comparison, wanted) => match comparison {
                Comparison::Equal | Comparison::Greater | Comparison::GreaterOrEqual => {
                    index.has_taken(*wanted)
                }
                // Most things are quick.
                Comparison::NotEqual | Comparison::Less | Comparison::LessOrEqual => true,
            },
            Self::Mark(mark) => index.has_mark(*mark),
            Self::ResponseTime(comparison, wanted) => {
                index.has_response_time(|time| comparison.holds(time, *wanted))
            }
            Self::Duration(comparison, wanted) => index.has_duration(|time| comparison.holds(time, *wanted)),
            Self::All(needs) => needs.iter().all(|needs| needs.may_hold(index)),
            Self::Any(needs) => needs.iter().any(|needs| needs.may_hold(index)),
        }
    }
}
