//! Settings that only a deployment knows.

/// An environment variable whose value each deployment chooses, such as the address of another company's endpoint. It
/// becomes a parameter of the service's stack, named `WebhookUrl` for `WEBHOOK_URL`.
///
/// On a laptop nothing sets it: the caller that starts the service does.
///
/// ```
/// use topology::{Parameter, Service};
///
/// let service = Service::new("app").parameter(
///     Parameter::new("WEBHOOK_URL", "Where notifications are pushed to")
///         .matches("https://[^\\s@]+", "an https URL without user and password"),
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The environment variable.
    pub variable: &'static str,
    /// What it is, on one line.
    pub description: &'static str,
    /// A regular expression for the whole value, and what it allows in words.
    pub pattern: Option<(&'static str, &'static str)>,
    /// The values that it can have, if they are few.
    pub values: &'static [&'static str],
    /// The value unless a deployment chooses another one; absent if it must choose.
    pub default: Option<&'static str>,
}

impl Parameter {
    /// Creates a parameter that every deployment must set, to any text.
    #[must_use]
    pub fn new(variable: &'static str, description: &'static str) -> Self {
        Self { variable, description, pattern: None, values: &[], default: None }
    }

    /// Restricts its values to those that match a regular expression; `meaning` says in words which these are.
    #[must_use]
    pub fn matches(mut self, pattern: &'static str, meaning: &'static str) -> Self {
        self.pattern = Some((pattern, meaning));
        self
    }

    /// Restricts its values to these.
    #[must_use]
    pub fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.values = values;
        self
    }

    /// Sets the value for deployments that choose none.
    #[must_use]
    pub fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}
