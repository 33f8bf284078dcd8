//! Filter expressions, as `GetTraceSummaries` and X-Ray groups take them.
//!
//! Of the language described at <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html> this is the
//! part that finds traces by their annotations: conditions `annotation.key = value` or `annotation[key] = value`,
//! joined by `AND`. The bracketed form is for keys with dots.

mod expression;
mod parse;

pub use self::expression::{Condition, FilterExpression};
pub use self::parse::FilterError;
