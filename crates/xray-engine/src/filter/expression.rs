//! An expression as a value.

use std::cmp::Ordering;

use super::keyword::{Flag, Number, Text};
use super::root_cause::CausePattern;

/// A condition on a trace, or on a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// All of them hold. Without any, it holds for everything.
    All(Vec<Expression>),
    /// One of them holds.
    Any(Vec<Expression>),
    /// It does not hold.
    Not(Box<Expression>),
    /// The keyword is true.
    Flag(Flag),
    /// The keyword has a value that compares so.
    Number(Number, Comparison, f64),
    /// The keyword has a value that compares so.
    Text(Text, TextComparison, String),
    /// The keyword has a value.
    IsSet(Text),
    /// An annotation.
    Annotation(End, String, AnnotationTest),
    /// A service of the trace, and a condition on one of its segments.
    Service(NodePattern, Option<Box<Expression>>),
    /// A connection of two services, and a condition on one of the calls over it.
    Edge(NodePattern, NodePattern, Option<Box<Expression>>),
    /// The trace belongs to a group.
    Group(GroupKey, String),
    /// A part of a root cause, and a condition on it.
    RootCause(CauseKind, CausePart, Option<Box<Expression>>),
    /// A root cause that matches a pattern.
    CausePattern(CausePattern),
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// How strings are compared, with regard to case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextComparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `CONTAINS`
    Contains,
    /// `BEGINSWITH`
    BeginsWith,
    /// `ENDSWITH`
    EndsWith,
}

/// Whose annotation is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Of the trace, or of the service or edge that is filtered.
    Here,
    /// Of the service that makes the call.
    Source,
    /// Of the service that is called.
    Destination,
}

/// A condition on an annotation.
#[derive(Clone, Debug, PartialEq)]
pub enum AnnotationTest {
    /// It has a value, which is not `false`.
    IsSet,
    /// It is a boolean with this value (or with another one).
    Boolean(bool, bool),
    /// It is a number that compares so.
    Number(Comparison, f64),
    /// It is a string that compares so.
    Text(TextComparison, String),
}

/// Which services are meant. The empty pattern means every one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodePattern {
    /// The name.
    pub name: Option<String>,
    /// The type, such as `AWS::ECS::Fargate`.
    pub kind: Option<String>,
    /// The account.
    pub account_id: Option<String>,
}

/// By what a group is identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKey {
    /// `group.name`
    Name,
    /// `group.arn`
    Arn,
}

/// What a root cause has caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseKind {
    /// A server error.
    Fault,
    /// A client error.
    Error,
    /// A long response time.
    ResponseTime,
}

/// Which part of a root cause is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CausePart {
    /// The services, from the entry point to the one where it began.
    Service,
    /// The entities, which are segments and subsegments, of all services.
    Entity,
    /// The exceptions of all entities.
    Exception,
}

impl Expression {
    /// Whether it says anything about root causes.
    pub(crate) fn is_about_causes(&self) -> bool {
        match self {
            Self::RootCause(..) | Self::CausePattern(_) => true,
            Self::All(conditions) | Self::Any(conditions) => conditions.iter().any(Self::is_about_causes),
            Self::Not(condition) => condition.is_about_causes(),
            _ => false,
        }
    }

    /// Returns the condition that this one holds, or that it does not.
    pub(super) fn holding(self, holds: bool) -> Self {
        if holds { self } else { Self::Not(Box::new(self)) }
    }
}

impl Comparison {
    /// Compares two numbers.
    #[must_use]
    pub fn holds(self, value: f64, wanted: f64) -> bool {
        match self {
            Self::Equal => value.partial_cmp(&wanted).is_some_and(Ordering::is_eq),
            Self::NotEqual => value.partial_cmp(&wanted).is_some_and(Ordering::is_ne),
            Self::Less => value < wanted,
            Self::LessOrEqual => value <= wanted,
            Self::Greater => value > wanted,
            Self::GreaterOrEqual => value >= wanted,
        }
    }
}

impl TextComparison {
    /// Compares two strings.
    #[must_use]
    pub fn holds(self, value: &str, wanted: &str) -> bool {
        match self {
            Self::Equal => value == wanted,
            Self::NotEqual => value != wanted,
            Self::Contains => value.contains(wanted),
            Self::BeginsWith => value.starts_with(wanted),
            Self::EndsWith => value.ends_with(wanted),
        }
    }
}

impl NodePattern {
    /// Whether a service is meant.
    #[must_use]
    pub fn matches(&self, name: &str, kind: Option<&str>, account_id: Option<&str>) -> bool {
        self.name.as_deref().is_none_or(|wanted| wanted == name)
            && self.kind.as_deref().is_none_or(|wanted| Some(wanted) == kind)
            && self.account_id.as_deref().is_none_or(|wanted| Some(wanted) == account_id)
    }
}
