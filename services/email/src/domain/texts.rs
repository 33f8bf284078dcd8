//! The texts of one language: messages of [Project Fluent](https://projectfluent.org/), by name.

use contracts::{Channel, DiscountValue, Tier};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use jiff::civil::Date;
use thiserror::Error;
use unic_langid::LanguageIdentifier;

/// Texts that cannot be used. All of them are part of the program, and a test writes every mail.
#[derive(Debug, Error)]
pub enum TextsError {
    /// The file of a language is not one of Fluent.
    #[error("texts in {0} are not a Fluent resource")]
    Unreadable(&'static str),
    /// A message is missing, or lacks something it refers to.
    #[error("text {name} in {language} is missing or incomplete")]
    Incomplete {
        /// The language.
        language: &'static str,
        /// The message, with its attribute.
        name: String,
    },
}

/// The texts of one language.
pub(super) struct Texts {
    language: &'static str,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// Reads the texts of `language`, a tag such as `de`.
    pub(super) fn read(language: &'static str, source: &str) -> Result<Self, TextsError> {
        let unreadable = || TextsError::Unreadable(language);
        let tag: LanguageIdentifier = language.parse().map_err(|_| unreadable())?;
        let resource = FluentResource::try_new(source.to_owned()).map_err(|_| unreadable())?;
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // Marks around variables that isolate the direction of writing are shown as boxes by some mail programs.
        bundle.set_use_isolating(false);
        bundle.add_resource(resource).map_err(|_| unreadable())?;
        Ok(Self { language, bundle })
    }

    /// Returns the tag of the language.
    pub(super) fn language(&self) -> &'static str {
        self.language
    }

    /// Writes the message `name`, such as `greeting`, or an attribute of one, such as `tier-ascended.subject`.
    pub(super) fn text(&self, name: &str, variables: &FluentArgs<'_>) -> Result<String, TextsError> {
        self.optional(name, variables)?.ok_or_else(|| self.incomplete(name))
    }

    /// Does the same. Returns `None` if there is no such message or attribute.
    pub(super) fn optional(
        &self,
        name: &str,
        variables: &FluentArgs<'_>,
    ) -> Result<Option<String>, TextsError> {
        let (id, attribute) =
            name.split_once('.').map_or((name, None), |(id, attribute)| (id, Some(attribute)));
        let message = self.bundle.get_message(id).ok_or_else(|| self.incomplete(name))?;
        let pattern = match attribute {
            None => message.value(),
            Some(attribute) => message.get_attribute(attribute).map(|attribute| attribute.value()),
        };
        let Some(pattern) = pattern else { return Ok(None) };
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(variables), &mut errors).into_owned();
        if errors.is_empty() { Ok(Some(text)) } else { Err(self.incomplete(name)) }
    }

    /// Returns the name of a channel.
    pub(super) fn channel(&self, channel: Channel) -> Result<String, TextsError> {
        self.text(&format!("channel-{}", channel.as_str()), &FluentArgs::new())
    }

    /// Returns the name of a tier.
    pub(super) fn tier(&self, tier: Tier) -> Result<String, TextsError> {
        self.text(&format!("tier-{}", tier.as_str()), &FluentArgs::new())
    }

    /// Returns what a discount is worth, such as `15%` or `5.00 EUR`.
    pub(super) fn worth(&self, value: &DiscountValue) -> Result<String, TextsError> {
        let mut variables = FluentArgs::new();
        match value {
            DiscountValue::Percentage(percentage) => {
                variables.set("percent", percentage.get().to_string());
                self.text("percentage", &variables)
            }
            DiscountValue::Amount(amount) => {
                let mark = self.text("decimal-mark", &FluentArgs::new())?;
                variables.set("amount", amount.in_major_units().replace('.', &mark));
                variables.set("currency", amount.currency.as_str());
                self.text("amount", &variables)
            }
        }
    }

    /// Returns a date in words.
    pub(super) fn date(&self, date: Date) -> Result<String, TextsError> {
        let mut variables = FluentArgs::new();
        variables.set("day", date.day().to_string());
        variables.set("month", date.month());
        variables.set("year", date.year().to_string());
        self.text("date", &variables)
    }

    fn incomplete(&self, name: &str) -> TextsError {
        TextsError::Incomplete { language: self.language, name: name.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use fluent_bundle::FluentResource;
    use regex_lite::Regex;

    use super::super::LANGUAGES;

    /// The variables of each message and attribute of a resource.
    fn variables(source: &str) -> BTreeMap<String, BTreeSet<String>> {
        FluentResource::try_new(source.to_owned()).unwrap();
        let (name, variable) = (
            Regex::new(r"^(?:(?<message>[a-z][a-z-]*)|    \.(?<attribute>[a-z]+)) =").unwrap(),
            Regex::new(r"\$(?<name>[a-z]+)").unwrap(),
        );
        let (mut found, mut message, mut place) = (BTreeMap::new(), String::new(), String::new());
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            if let Some(named) = name.captures(line) {
                if let Some(id) = named.name("message") {
                    id.as_str().clone_into(&mut message);
                    message.clone_into(&mut place);
                } else {
                    place = format!("{message}.{}", &named["attribute"]);
                }
            }
            let variables: &mut BTreeSet<String> = found.entry(place.clone()).or_default();
            variables.extend(variable.captures_iter(line).map(|variable| variable["name"].to_owned()));
        }
        found
    }

    #[test]
    fn every_language_has_every_message_attribute_and_variable() {
        let [(_, first), others @ ..] = LANGUAGES;
        let expected = variables(first);
        assert!(expected["tier-ascended.body"].contains("previous"), "{expected:?}");
        for (language, source) in others {
            assert_eq!(variables(source), expected, "{language}");
        }
    }
}
