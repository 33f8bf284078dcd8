//! Reads and joins expressions, and shows what is wrong with one.

use xray_engine::{Expression, FilterError, FilterExpression};

/// Reads an expression.
///
/// # Errors
/// A message that shows the place of the fault in the expression.
pub(crate) fn read(expression: &str) -> Result<FilterExpression, String> {
    expression.parse().map_err(|error| shown(expression, &error))
}

/// Returns the expression that finds what `filter` finds if all `conditions` hold as well.
pub(crate) fn joined(
    conditions: impl IntoIterator<Item = Expression>,
    filter: &FilterExpression,
) -> FilterExpression {
    let given = match filter.expression() {
        Expression::All(conditions) => conditions.clone(),
        one => vec![one.clone()],
    };
    let mut all: Vec<_> = conditions.into_iter().chain(given).collect();
    let only = if all.len() == 1 { all.pop() } else { None };
    FilterExpression::from(only.unwrap_or(Expression::All(all)))
}

/// Returns the error below the line that has it, with a mark at its place.
pub(super) fn shown(expression: &str, error: &FilterError) -> String {
    let before: String = expression.chars().take(error.position.saturating_sub(1)).collect();
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let text = expression.lines().nth(line).unwrap_or_default();
    format!("{error}\n  {}\n  {}^", crate::style::printable(text), " ".repeat(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_marked_at_its_place() {
        let error = read("ok AND\n  größe > 5").unwrap_err();
        assert_eq!(error, "unknown keyword größe at position 10\n    größe > 5\n    ^");
        let error = read("responsetime >").unwrap_err();
        assert!(error.ends_with("\n  responsetime >\n                ^"), "{error}");
        assert!(read("ok").is_ok());
    }
}
