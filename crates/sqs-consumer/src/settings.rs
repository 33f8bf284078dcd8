//! The consumer's settings and their defaults.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::Backoff;
use crate::queue::{MAX_BATCH, MAX_VISIBILITY};

/// The most messages beyond [`ConsumerSettings::concurrency`] that wait for nothing but their spans to leave, which takes
/// milliseconds. They take no work, and little memory: [`ConsumerSettings::max_bytes`] counts them too.
pub const MAX_LEAVING: usize = 512;

/// The longest pause between receives.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The longest time that a delete may wait: a third of the time that the shortest shutdown leaves for the last deletes.
const LONGEST_LINGER: Duration = Duration::from_secs(1);

/// The settings of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// The service's name. Process spans become segments with this name, and dead letters name the service that sent
    /// them.
    pub service: String,
    /// The most messages in flight at the same time. Up to [`MAX_LEAVING`] more may be in flight that have been handled, and
    /// whose spans are on their way to the collector. `CONSUMER_CONCURRENCY`, 32.
    pub concurrency: usize,
    /// The bytes of bodies in flight from which on nothing more is received. What the receives in flight bring comes on top:
    /// ten messages each. `CONSUMER_MAX_BYTES`, 33,554,432: 32 MiB.
    pub max_bytes: usize,
    /// The most receives in flight at the same time. `CONSUMER_MAX_POLLERS`, 4.
    pub max_pollers: usize,
    /// How long a receive waits for the first message. `CONSUMER_WAIT_S`, 20, the most SQS allows.
    pub wait: Duration,
    /// The pause after a receive that returned fewer messages than it asked for, in which more arrive: SQS charges by
    /// request, and every message waits for half of it on average. `CONSUMER_RECEIVE_PAUSE_MS`, 0.
    pub pause_between: Duration,
    /// How long a handled message waits to be deleted together with others, in place of [`SettleSettings::linger`]: SQS
    /// charges by request, and nobody waits for a delete. A process that is killed meanwhile has the message redelivered.
    /// Without effect where it would take permits that messages need, with a [`concurrency`](Self::concurrency) below 20.
    /// `CONSUMER_DELETE_LINGER_MS`, not set.
    pub delete_linger: Option<Duration>,
    /// How long a message stays invisible unless it is extended, and so how long it is delayed when the process is
    /// killed. `CONSUMER_VISIBILITY_TIMEOUT_S`, 30.
    pub visibility: Duration,
    /// How long a handler may take for one message; after that the handler is dropped and the message retried. Longer
    /// than all attempts of all calls it makes, so that a call that fails names its dependency, and by default shorter
    /// than [`visibility`](Self::visibility). `CONSUMER_MAX_PROCESSING_S`, 25.
    pub max_processing: Duration,
    /// The delay of a retry. `CONSUMER_BACKOFF_BASE_MS`, 1,000, and `CONSUMER_BACKOFF_CAP_S`, 900.
    pub backoff: Backoff,
    /// How old a message on this queue may get: an older one is dead-lettered when it fails. Must be below the queue's
    /// retention period, or SQS drops the message before the consumer can dead-letter it. `CONSUMER_MAX_MESSAGE_AGE_S`,
    /// 259,200: three days, one less than SQS's default retention, so that a dependency may be unavailable over a
    /// weekend.
    pub max_message_age: Duration,
    /// How long a message is retried, counted from its first receive, when its transient failures name no dependency (a
    /// panic, a timeout). Such a message is probably the cause itself, so its retries are exhausted sooner.
    /// `CONSUMER_GIVE_UP_AFTER_S`, 21,600: six hours.
    pub give_up_after: Duration,
    /// The age, counted from its publication, above which an event starts a separate trace. Not read from a variable:
    /// 24 hours, the age at which X-Ray stops accepting segments for a trace.
    pub new_trace_after: Duration,
    /// When receiving pauses because a dependency is unavailable or misconfigured.
    pub circuit: CircuitSettings,
    /// When receiving pauses because most messages are rejected for one reason.
    pub brake: BrakeSettings,
    /// The pause after a failed receive, half of which is jitter. 1 s, doubling up to 30 s.
    pub receive_pause: Backoff,
    /// How calls that settle messages are batched and retried.
    pub settle: SettleSettings,
    /// How long a shutdown waits for messages and receives in flight. `CONSUMER_DRAIN_S`, 21. Must be longer than
    /// [`wait`](Self::wait), because a receive in flight is waited for.
    pub drain: Duration,
    /// How long a shutdown then waits for the last deletes and releases. `CONSUMER_SETTLE_S`, 3. With
    /// [`drain`](Self::drain) it must stay below the service's grace period.
    pub settle_timeout: Duration,
}

/// When receiving pauses because a dependency is unavailable or misconfigured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitSettings {
    /// How long an outcome counts. `CONSUMER_CIRCUIT_WINDOW_S`, 60.
    pub window: Duration,
    /// The fewest outcomes with which the circuit opens for an unavailable dependency. `CONSUMER_CIRCUIT_MIN_MESSAGES`,
    /// 10.
    pub min_messages: usize,
    /// The pause before a probe, growing with each failed probe. 5 s, doubling up to 60 s.
    pub pause: Backoff,
}

/// When receiving pauses because a dependency rejects most messages for one reason, within the circuit's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrakeSettings {
    /// The fewest different messages that must have been rejected. `CONSUMER_BRAKE_MIN_MESSAGES`, 3.
    pub min_messages: usize,
}

/// How deletes and visibility changes are batched and retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettleSettings {
    /// How long a batch waits for further entries. 5 ms.
    pub linger: Duration,
    /// The most concurrent calls of one kind. 4.
    pub concurrency: usize,
    /// The most attempts per entry. 5.
    pub attempts: u32,
    /// The pause between attempts. 100 ms, doubling up to 2 s.
    pub backoff: Backoff,
}

impl ConsumerSettings {
    /// Returns the defaults for the service named `service`.
    #[must_use]
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            concurrency: 32,
            max_bytes: 32 * 1024 * 1024,
            max_pollers: 4,
            wait: Duration::from_secs(20),
            pause_between: Duration::ZERO,
            delete_linger: None,
            visibility: Duration::from_secs(30),
            max_processing: Duration::from_secs(25),
            backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_mins(15) },
            max_message_age: Duration::from_hours(72),
            give_up_after: Duration::from_hours(6),
            new_trace_after: Duration::from_hours(24),
            circuit: CircuitSettings {
                window: Duration::from_mins(1),
                min_messages: 10,
                pause: Backoff { base: Duration::from_secs(5), cap: Duration::from_mins(1) },
            },
            brake: BrakeSettings { min_messages: 3 },
            receive_pause: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(30) },
            settle: SettleSettings {
                linger: Duration::from_millis(5),
                concurrency: 4,
                attempts: 5,
                backoff: Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(2) },
            },
            drain: Duration::from_secs(21),
            settle_timeout: Duration::from_secs(3),
        }
    }

    /// Returns the defaults, overridden by the `CONSUMER_*` variables that `lookup` finds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let variables = [("CONSUMER_CONCURRENCY", "8")];
    /// let settings = sqs_consumer::ConsumerSettings::read("membership", |name| {
    ///     variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    /// })?;
    /// assert_eq!((settings.concurrency, settings.wait), (8, Duration::from_secs(20)));
    /// # Ok::<(), sqs_consumer::SettingsError>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`SettingsError`] that names a variable which is not a number or conflicts with the other settings.
    pub fn read(
        service: impl Into<String>,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::new(service);
        let seconds = |name, field: &mut Duration| number(&lookup, name, Duration::from_secs, field);
        seconds("CONSUMER_WAIT_S", &mut settings.wait)?;
        seconds("CONSUMER_VISIBILITY_TIMEOUT_S", &mut settings.visibility)?;
        seconds("CONSUMER_MAX_PROCESSING_S", &mut settings.max_processing)?;
        seconds("CONSUMER_BACKOFF_CAP_S", &mut settings.backoff.cap)?;
        seconds("CONSUMER_MAX_MESSAGE_AGE_S", &mut settings.max_message_age)?;
        seconds("CONSUMER_GIVE_UP_AFTER_S", &mut settings.give_up_after)?;
        seconds("CONSUMER_CIRCUIT_WINDOW_S", &mut settings.circuit.window)?;
        seconds("CONSUMER_DRAIN_S", &mut settings.drain)?;
        seconds("CONSUMER_SETTLE_S", &mut settings.settle_timeout)?;
        number(&lookup, "CONSUMER_RECEIVE_PAUSE_MS", Duration::from_millis, &mut settings.pause_between)?;
        number(
            &lookup,
            "CONSUMER_DELETE_LINGER_MS",
            |n| Some(Duration::from_millis(n)),
            &mut settings.delete_linger,
        )?;
        number(&lookup, "CONSUMER_BACKOFF_BASE_MS", Duration::from_millis, &mut settings.backoff.base)?;
        number(&lookup, "CONSUMER_CONCURRENCY", |n| n, &mut settings.concurrency)?;
        number(&lookup, "CONSUMER_MAX_BYTES", |n| n, &mut settings.max_bytes)?;
        number(&lookup, "CONSUMER_MAX_POLLERS", |n| n, &mut settings.max_pollers)?;
        number(&lookup, "CONSUMER_CIRCUIT_MIN_MESSAGES", |n| n, &mut settings.circuit.min_messages)?;
        number(&lookup, "CONSUMER_BRAKE_MIN_MESSAGES", |n| n, &mut settings.brake.min_messages)?;
        settings.validate()?;
        Ok(settings)
    }

    /// Fits the shutdown into a service's grace period. [`settle_timeout`](Self::settle_timeout) and one second for
    /// what follows (flushing telemetry) are set aside, the rest becomes the drain, and the wait of a receive is
    /// shortened if it would outlast the drain.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let settings = sqs_consumer::ConsumerSettings::new("email").within_grace(Duration::from_secs(10));
    /// assert_eq!((settings.drain, settings.wait), (Duration::from_secs(7), Duration::from_secs(6)));
    /// ```
    #[must_use]
    pub fn within_grace(mut self, grace: Duration) -> Self {
        let second = Duration::from_secs(1);
        let whole = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        self.settle_timeout = self.settle_timeout.min(second * whole(grace / 4)).max(second);
        self.drain = grace.saturating_sub(self.settle_timeout + second).max(second);
        self.wait = self.wait.min(second * whole(self.drain.saturating_sub(second)));
        self
    }

    /// Returns how deletes are batched and retried.
    pub(crate) fn deletes(&self) -> SettleSettings {
        let linger = self.delete_linger.filter(|_| self.concurrency >= 2 * MAX_BATCH);
        SettleSettings { linger: linger.unwrap_or(self.settle.linger), ..self.settle }
    }

    /// Returns the delay of a message that a dependency rejected. It is short, since the circuit's window decides
    /// whether the message or the dependency is at fault.
    pub(crate) fn rejected_backoff(&self) -> Backoff {
        let longest = Duration::from_secs(10);
        Backoff { base: self.backoff.base.min(longest), cap: self.backoff.cap.min(longest) }
    }

    /// Checks that the settings are usable and do not conflict.
    ///
    /// # Errors
    /// Returns a [`SettingsError::Conflict`] that names the variable and the rule it breaks.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let second = Duration::from_secs(1);
        let conflict = |name, rule| Err(SettingsError::Conflict { name, rule });
        match self {
            _ if self.pause_between > LONGEST_PAUSE => conflict("CONSUMER_RECEIVE_PAUSE_MS", "at most 10000"),
            _ if self.delete_linger.is_some_and(|linger| linger > LONGEST_LINGER) => {
                conflict("CONSUMER_DELETE_LINGER_MS", "at most 1000")
            }
            _ if self.concurrency == 0 => conflict("CONSUMER_CONCURRENCY", "at least 1"),
            _ if self.max_bytes == 0 => conflict("CONSUMER_MAX_BYTES", "at least 1"),
            _ if self.max_pollers == 0 => conflict("CONSUMER_MAX_POLLERS", "at least 1"),
            _ if self.wait > Duration::from_secs(20) => conflict("CONSUMER_WAIT_S", "at most 20"),
            _ if self.drain <= self.wait => conflict("CONSUMER_DRAIN_S", "more than CONSUMER_WAIT_S"),
            _ if self.visibility < second * 3 => conflict("CONSUMER_VISIBILITY_TIMEOUT_S", "at least 3"),
            _ if self.max_processing < second => conflict("CONSUMER_MAX_PROCESSING_S", "at least 1"),
            _ if self.visibility + self.max_processing > MAX_VISIBILITY => {
                conflict("CONSUMER_MAX_PROCESSING_S", "with CONSUMER_VISIBILITY_TIMEOUT_S at most 43,200")
            }
            _ if self.circuit.min_messages == 0 => conflict("CONSUMER_CIRCUIT_MIN_MESSAGES", "at least 1"),
            _ if self.brake.min_messages == 0 => conflict("CONSUMER_BRAKE_MIN_MESSAGES", "at least 1"),
            _ if self.settle.attempts == 0 || self.settle.concurrency == 0 => {
                conflict("settle", "at least one attempt and one call at a time")
            }
            _ => Ok(()),
        }
    }
}

fn number<T: FromStr, U>(
    lookup: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    make: impl Fn(T) -> U,
    field: &mut U,
) -> Result<(), SettingsError> {
    if let Some(text) = lookup(name) {
        *field = make(text.trim().parse().map_err(|_| SettingsError::NotANumber { name })?);
    }
    Ok(())
}

/// A setting that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// The value is not a whole number.
    #[error("{name} is not a whole number")]
    NotANumber {
        /// The variable.
        name: &'static str,
    },
    /// The value is out of range or conflicts with another setting.
    #[error("{name} must be {rule}")]
    Conflict {
        /// The variable.
        name: &'static str,
        /// The rule it has to satisfy.
        rule: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<ConsumerSettings, SettingsError> {
        ConsumerSettings::read("membership", |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_defaults_are_valid() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings, ConsumerSettings::new("membership"));
        assert!(
            settings.drain + settings.settle_timeout < Duration::from_secs(25),
            "the services' grace period"
        );
        assert!(settings.max_message_age < Duration::from_hours(96), "SQS's default retention");
    }

    #[test]
    fn reads_the_variables_that_are_set() {
        let settings = read(&[
            ("CONSUMER_CONCURRENCY", "8"),
            ("CONSUMER_WAIT_S", " 3 "),
            ("CONSUMER_BACKOFF_BASE_MS", "250"),
            ("CONSUMER_MAX_MESSAGE_AGE_S", "60"),
        ])
        .unwrap();
        assert_eq!((settings.concurrency, settings.wait), (8, Duration::from_secs(3)));
        assert_eq!(settings.backoff.base, Duration::from_millis(250));
        assert_eq!(settings.max_message_age, Duration::from_mins(1));
    }

    #[test]
    fn names_the_invalid_variable() {
        for (variables, message) in [
            (&[("CONSUMER_CONCURRENCY", "many")][..], "CONSUMER_CONCURRENCY is not a whole number"),
            (&[("CONSUMER_WAIT_S", "-1")], "CONSUMER_WAIT_S is not a whole number"),
            (&[("CONSUMER_CONCURRENCY", "0")], "CONSUMER_CONCURRENCY must be at least 1"),
            (&[("CONSUMER_WAIT_S", "21")], "CONSUMER_WAIT_S must be at most 20"),
            (&[("CONSUMER_DRAIN_S", "5")], "CONSUMER_DRAIN_S must be more than CONSUMER_WAIT_S"),
            (&[("CONSUMER_VISIBILITY_TIMEOUT_S", "1")], "CONSUMER_VISIBILITY_TIMEOUT_S must be at least 3"),
            (&[("CONSUMER_RECEIVE_PAUSE_MS", "10001")], "CONSUMER_RECEIVE_PAUSE_MS must be at most 10000"),
            (&[("CONSUMER_DELETE_LINGER_MS", "1001")], "CONSUMER_DELETE_LINGER_MS must be at most 1000"),
        ] {
            assert_eq!(read(variables).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn fits_into_any_grace_period() {
        for seconds in 3..60 {
            let grace = Duration::from_secs(seconds);
            let settings = ConsumerSettings::new("x").within_grace(grace);
            settings.validate().unwrap();
            assert!(settings.drain + settings.settle_timeout < grace, "{seconds} s");
        }
    }
}
