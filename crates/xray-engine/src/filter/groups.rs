//! Groups in an expression.

use super::expression::{Expression, GroupKey};

impl Expression {
    /// Replaces every group by the expression that `of` returns for it.
    pub(crate) fn with_groups<E>(
        self,
        of: &mut dyn FnMut(GroupKey, &str) -> Result<Self, E>,
    ) -> Result<Self, E> {
        let mut all = |conditions: Vec<Self>| {
            conditions.into_iter().map(|condition| condition.with_groups(of)).collect::<Result<_, _>>()
        };
        Ok(match self {
            Self::All(conditions) => Self::All(all(conditions)?),
            Self::Any(conditions) => Self::Any(all(conditions)?),
            Self::Not(condition) => Self::Not(Box::new(condition.with_groups(of)?)),
            Self::Group(key, value) => of(key, &value)?,
            // What is in braces is about a part of a trace, which no group is.
            other => other,
        })
    }
}
