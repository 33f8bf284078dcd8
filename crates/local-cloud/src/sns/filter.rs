//! A subscription's filter policy, and what it is compared with.

use event_pattern::{Attribute, Dialect, Pattern};

use super::errors::Given;
use super::message::Message;
use crate::reply::AwsError;

/// What a policy is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    #[default]
    MessageAttributes,
    MessageBody,
}

impl Scope {
    pub(super) fn parse(name: &str, given: Given) -> Result<Self, AwsError> {
        match name {
            "MessageAttributes" => Ok(Self::MessageAttributes),
            "MessageBody" => Ok(Self::MessageBody),
            _ => Err(given.invalid(format!(
                "FilterPolicyScope: Invalid value [{name}]. Please use either MessageBody or MessageAttributes"
            ))),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MessageAttributes => "MessageAttributes",
            Self::MessageBody => "MessageBody",
        }
    }
}

/// A checked policy.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// As it was given.
    text: String,
    scope: Scope,
    pattern: Pattern,
}

impl Filter {
    pub(super) fn parse(text: &str, scope: Scope, given: Given) -> Result<Self, AwsError> {
        let dialect = match scope {
            Scope::MessageAttributes => Dialect::MessageAttributes,
            Scope::MessageBody => Dialect::MessageBody,
        };
        let pattern = Pattern::parse(text, dialect).map_err(|error| given.invalid(error.reason()))?;
        Ok(Self { text: text.to_owned(), scope, pattern })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether the message passes. A message whose body is no JSON object does not pass a filter on the body.
    pub(super) fn passes(&self, message: &Message) -> bool {
        match self.scope {
            Scope::MessageAttributes => {
                let attributes = message.attributes.iter();
                self.pattern.matches_attributes(attributes.map(|(name, attribute)| {
                    (name.as_str(), Attribute::read(&attribute.data_type, attribute.text()))
                }))
            }
            Scope::MessageBody => {
                serde_json::from_str(&message.text).is_ok_and(|body| self.pattern.matches(&body))
            }
        }
    }
}

/// Two policies are the same if they say the same.
impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        let value = |filter: &Self| serde_json::from_str::<serde_json::Value>(&filter.text).ok();
        self.scope == other.scope && value(self) == value(other)
    }
}
