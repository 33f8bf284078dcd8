//! The environment variables of a service, read once, and settings read from them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

/// The variables a service is configured by. `Debug` shows their names only: values can be secrets.
#[derive(Clone, Default)]
pub struct Environment(Arc<BTreeMap<String, String>>);

impl Environment {
    /// Reads the variables of this process, without those that are not Unicode.
    #[must_use]
    pub fn from_process() -> Self {
        Self::from_pairs(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Creates an environment of these variables and no others.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(Arc::new(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }

    /// Returns the value of a variable. An empty one counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// Returns the value of a required variable.
    ///
    /// # Errors
    /// If it is missing or empty.
    pub fn required(&self, name: &str) -> Result<&str, SettingsError> {
        self.get(name).ok_or_else(|| SettingsError::one(name, "is required"))
    }

    /// Returns the parsed value of a variable, or the default if it is absent.
    ///
    /// # Errors
    /// If the value cannot be parsed. The error does not repeat it.
    pub fn parse<T: FromStr>(&self, name: &str, default: T) -> Result<T, SettingsError>
    where
        T::Err: fmt::Display,
    {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.trim().parse().map_err(|error| SettingsError::one(name, format!("{error}"))),
        }
    }

    /// Returns a duration given in whole milliseconds (`…_MS`).
    ///
    /// # Errors
    /// If the value is not a whole number.
    pub fn duration_ms(&self, name: &str, default: Duration) -> Result<Duration, SettingsError> {
        self.duration(name, default, Duration::from_millis, "milliseconds")
    }

    /// Returns a duration given in whole seconds (`…_S`).
    ///
    /// # Errors
    /// If the value is not a whole number.
    pub fn duration_s(&self, name: &str, default: Duration) -> Result<Duration, SettingsError> {
        self.duration(name, default, Duration::from_secs, "seconds")
    }

    fn duration(
        &self,
        name: &str,
        default: Duration,
        of: fn(u64) -> Duration,
        unit: &str,
    ) -> Result<Duration, SettingsError> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value
                .trim()
                .parse()
                .map(of)
                .map_err(|_| SettingsError::one(name, format!("expected a whole number of {unit}"))),
        }
    }

    /// Reads several settings and reports all that are wrong together.
    #[must_use]
    pub fn settings(&self) -> Settings<'_> {
        Settings { environment: self, wrong: Vec::new() }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Settings read one after another. The stand-in for a wrong one is never used, because [`Settings::finish`] fails.
#[derive(Debug)]
pub struct Settings<'a> {
    environment: &'a Environment,
    wrong: Vec<WrongSetting>,
}

impl Settings<'_> {
    /// As [`Environment::get`].
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        self.environment.get(name).map(str::to_owned)
    }

    /// As [`Environment::required`]; empty when it is missing.
    pub fn required(&mut self, name: &str) -> String {
        let value = self.environment.required(name).map(str::to_owned);
        self.keep(value, String::new())
    }

    /// As [`Environment::parse`].
    pub fn parse<T: FromStr + Clone>(&mut self, name: &str, default: T) -> T
    where
        T::Err: fmt::Display,
    {
        let value = self.environment.parse(name, default.clone());
        self.keep(value, default)
    }

    /// As [`Environment::duration_ms`].
    pub fn duration_ms(&mut self, name: &str, default: Duration) -> Duration {
        let value = self.environment.duration_ms(name, default);
        self.keep(value, default)
    }

    /// As [`Environment::duration_s`].
    pub fn duration_s(&mut self, name: &str, default: Duration) -> Duration {
        let value = self.environment.duration_s(name, default);
        self.keep(value, default)
    }

    /// Reports a setting that is wrong for a reason found elsewhere.
    pub fn wrong(&mut self, name: impl Into<String>, problem: impl Into<String>) {
        self.wrong.push(WrongSetting { name: name.into(), problem: problem.into() });
    }

    /// Finishes reading.
    ///
    /// # Errors
    /// If any setting was wrong; the error has all of them.
    pub fn finish(self) -> Result<(), SettingsError> {
        if self.wrong.is_empty() { Ok(()) } else { Err(SettingsError(self.wrong)) }
    }

    fn keep<T>(&mut self, value: Result<T, SettingsError>, otherwise: T) -> T {
        value.unwrap_or_else(|SettingsError(wrong)| {
            self.wrong.extend(wrong);
            otherwise
        })
    }
}

/// A setting that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name}: {problem}")]
pub struct WrongSetting {
    /// The variable.
    pub name: String,
    /// What is wrong, without its value.
    pub problem: String,
}

/// Settings that are missing or wrong. A service that returns it exits with code 64.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct SettingsError(Vec<WrongSetting>);

impl SettingsError {
    /// Reports a single wrong setting.
    pub fn one(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self(vec![WrongSetting { name: name.into(), problem: problem.into() }])
    }

    /// Returns the wrong settings.
    #[must_use]
    pub fn wrong(&self) -> &[WrongSetting] {
        &self.0
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, wrong) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            write!(formatter, "{wrong}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn all_wrong_settings_are_reported_together_without_their_values() {
        let environment = Environment::from_pairs([
            ("ADDRESS", "s3cret"),
            ("LINGER_MS", "soon"),
            ("EMPTY", " "),
            ("COUNT", "7"),
        ]);
        let mut settings = environment.settings();
        assert_eq!(settings.parse("COUNT", 1), 7);
        assert_eq!(settings.parse("ABSENT", 3), 3);
        settings.required("EMPTY");
        settings.parse::<SocketAddr>("ADDRESS", ([127, 0, 0, 1], 80).into());
        settings.duration_ms("LINGER_MS", Duration::ZERO);
        let error = settings.finish().unwrap_err();
        let names: Vec<_> = error.wrong().iter().map(|wrong| wrong.name.as_str()).collect();
        assert_eq!(names, ["EMPTY", "ADDRESS", "LINGER_MS"]);
        assert!(error.to_string().contains("LINGER_MS: expected a whole number of milliseconds"));
        assert!(!error.to_string().contains("s3cret") && !error.to_string().contains("soon"));
    }

    #[test]
    fn durations_carry_their_unit_and_debug_hides_values() {
        let environment =
            Environment::from_pairs([("A_MS", "250"), ("B_S", "2"), ("SIGNATURE_SECRET", "s3cret")]);
        assert_eq!(environment.duration_ms("A_MS", Duration::ZERO), Ok(Duration::from_millis(250)));
        assert_eq!(environment.duration_s("B_S", Duration::ZERO), Ok(Duration::from_secs(2)));
        assert_eq!(environment.required("SIGNATURE_SECRET"), Ok("s3cret"));
        assert!(!format!("{environment:?}").contains("s3cret"));
    }
}
