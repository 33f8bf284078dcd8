//! The patterns with which EventBridge, SNS and Pipes choose events: what a pattern may say, and what it matches.
//!
//! A pattern is JSON in the shape of the events it matches, with a list of accepted values in place of each value. AWS
//! compiles all of them with one engine, [Event Ruler](https://github.com/aws/event-ruler), and answers with that
//! engine's words, position in the text included, if a pattern is not valid. This crate has the same rules and the same
//! words; [`Dialect`] describes where the services differ.
//!
//! ```
//! use event_pattern::{Dialect, Pattern};
//! use serde_json::json;
//!
//! let pattern = Pattern::parse(r#"{"detail": {"total": [{"numeric": [">", 100]}]}}"#, Dialect::EventBridge)?;
//! assert!(pattern.matches(&json!({"source": "shop", "detail": {"total": 250}})));
//! assert!(!pattern.matches(&json!({"source": "shop", "detail": {"total": 50}})));
//!
//! let error = Pattern::parse(r#"{"detail": {"total": []}}"#, Dialect::EventBridge).unwrap_err();
//! assert!(error.to_string().starts_with("Event pattern is not valid. Reason: Empty arrays are not allowed"));
//! # Ok::<(), event_pattern::PatternError>(())
//! ```
//!
//! SNS compares a policy with the attributes of a message, unless its scope is the message's body:
//!
//! ```
//! use event_pattern::{Attribute, Dialect, Pattern};
//!
//! let policy = Pattern::parse(r#"{"colour": ["red"]}"#, Dialect::MessageAttributes)?;
//! let colour = Attribute::read("String.Array", r#"["blue", "red"]"#);
//! assert!(policy.matches_attributes([("colour", colour)]));
//! # Ok::<(), event_pattern::PatternError>(())
//! ```

mod address;
mod attribute;
mod compile;
mod complexity;
mod condition;
mod event;
mod expression;
mod json;
mod number;
mod policy;
mod wildcard;

use serde_json::Value;

pub use self::attribute::Attribute;
use self::compile::Alternative;
use self::event::Fields;

/// Where a pattern is used. The services differ in the operators they know, in limits and in their words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A rule of EventBridge, a filter of a Pipe or of an event source mapping.
    EventBridge,
    /// An SNS filter policy with the scope `MessageAttributes`.
    MessageAttributes,
    /// An SNS filter policy with the scope `MessageBody`.
    MessageBody,
}

/// A pattern is not valid. It displays as the whole message of EventBridge's `PutRule` or SNS's
/// `SetSubscriptionAttributes`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", self.prefix())]
pub struct PatternError {
    dialect: Dialect,
    reason: String,
}

impl PatternError {
    fn prefix(&self) -> &'static str {
        match self.dialect {
            Dialect::EventBridge => "Event pattern is not valid. Reason: ",
            Dialect::MessageAttributes | Dialect::MessageBody => "Invalid parameter: ",
        }
    }

    /// Returns the message without the words with which the service opens it, for calls that open it with others:
    /// SNS's `Subscribe` answers `Invalid parameter: Attributes Reason: `.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// What `$or` makes of a pattern: it matches if one of them does. `None` for an empty policy, which matches everything.
    alternatives: Option<Vec<Alternative>>,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// In the SNS dialects `{}` is a policy that accepts every message.
    ///
    /// # Errors
    ///
    /// Returns an error with AWS's words if AWS refuses the pattern.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, PatternError> {
        let alternatives = match dialect {
            Dialect::EventBridge => compile::compile(text).map(Some),
            Dialect::MessageAttributes => policy::compile(text, false),
            Dialect::MessageBody => policy::compile(text, true),
        };
        match alternatives {
            Ok(alternatives) => Ok(Self { alternatives }),
            Err(reason) => Err(PatternError { dialect, reason }),
        }
    }

    /// Returns whether the event matches. An event that is not an object never does.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        let Value::Object(event) = event else { return false };
        let Some(alternatives) = &self.alternatives else { return true };
        let fields = Fields::of_event(event, &self.paths());
        alternatives.iter().any(|alternative| fields.fit(alternative))
    }

    /// Returns whether the attributes of an SNS message match.
    #[must_use]
    pub fn matches_attributes<'a>(&self, attributes: impl IntoIterator<Item = (&'a str, Attribute)>) -> bool {
        let Some(alternatives) = &self.alternatives else { return true };
        let attributes: Vec<_> = attributes.into_iter().collect();
        let fields = Fields::of_attributes(attributes.iter().map(|(name, attribute)| (*name, attribute)));
        alternatives.iter().any(|alternative| fields.fit(alternative))
    }

    fn paths(&self) -> event::Paths<'_> {
        self.alternatives
            .iter()
            .flatten()
            .flat_map(|alternative| alternative.keys().map(|path| &**path))
            .collect()
    }
}
