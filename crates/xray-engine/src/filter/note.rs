//! What the parser looks for at the end of an unfinished expression.

use super::keyword::{Scope, Text};

/// What a value belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueOf {
    /// The annotation with this key.
    Annotation(String),
    /// A keyword.
    Text(Text),
    /// The name of a service.
    ServiceName,
    /// The type of a service.
    ServiceType,
    /// The account of a service.
    AccountId,
    /// The name of a group.
    GroupName,
}

/// What the parser looked for at the end of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Note {
    /// A condition about this.
    Condition(Scope),
    Words(&'static [&'static str]),
    Value(ValueOf),
}
