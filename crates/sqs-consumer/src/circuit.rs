//! Detects that most messages fail for a reason outside themselves, so that receiving pauses instead of failing one
//! message after another.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use crate::queue::Receipt;
use crate::settings::{BrakeSettings, CircuitSettings};

/// The evidence that the end of a message gives about the dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Handled: the dependencies worked.
    Handled,
    /// Failed because of a dependency.
    Failed(Trouble),
    /// The message itself is at fault. This says nothing about a dependency, and never counts towards the brake.
    OwnFault,
    /// Released, or failed for a reason that says nothing about a dependency.
    Unclear,
}

/// A problem with a dependency, as observed from one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) dependency: &'static str,
    pub(crate) kind: TroubleKind,
    /// The dependency's error code, or the reason of the failure.
    pub(crate) code: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// The dependency throttles, fails or does not respond.
    Unavailable,
    /// No message's call would succeed.
    Misconfigured,
    /// The dependency refuses the request made for this message.
    Rejected,
}

impl Trouble {
    /// Returns whether this engages the brake rather than opens the circuit.
    pub(crate) fn is_brake(&self) -> bool {
        self.kind == TroubleKind::Rejected
    }
}

/// The reason shown by a readiness check that is down: `SNS misconfigured: AuthorizationError`.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            TroubleKind::Unavailable => "unavailable",
            TroubleKind::Misconfigured => "misconfigured",
            TroubleKind::Rejected => "rejects most messages",
        };
        write!(f, "{} {word}", self.dependency)?;
        if self.code == word { Ok(()) } else { write!(f, ": {}", self.code) }
    }
}

/// What may be received now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// As many messages as there are permits.
    All,
    /// No messages before this time.
    NothingUntil(Instant),
    /// One message.
    OneProbe,
}

/// A change to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Most messages failed because of this trouble: receiving pauses.
    Opened { trouble: Trouble, pause: Duration },
    /// A probe did not succeed: receiving stays paused.
    StillOpen { trouble: Trouble, pause: Duration },
    /// A probe succeeded: receiving resumes.
    Closed { trouble: Trouble },
    /// No message is left to probe with, and the trouble was last observed long ago: receiving resumes.
    Expired { trouble: Trouble },
}

enum State {
    Closed,
    Open {
        trouble: Trouble,
        until: Instant,
        /// The number of the next probe, from which the pause before it is computed.
        probes: u32,
        /// When the trouble was last observed.
        observed: Instant,
        /// How many probes since the last pause said nothing about the dependency.
        unclear: u32,
    },
}

/// The circuit and the brake in one: they differ in what opens them and in how they are reported, not in what they do.
pub(crate) struct Circuit {
    settings: CircuitSettings,
    brake: BrakeSettings,
    state: State,
    /// The latest outcomes, the newest last.
    recent: VecDeque<Outcome>,
    /// When the last of the messages returned to the queue becomes visible again.
    awaited: Option<Instant>,
}

struct Outcome {
    at: Instant,
    message: Receipt,
    signal: Signal,
}

/// The maximum number of outcomes remembered: enough to judge most messages by, and few enough to react quickly.
const REMEMBERED: usize = 50;

/// The most probes after one another without a pause if none says anything about the dependency.
const UNCLEAR_AT_ONCE: u32 = 10;

impl Circuit {
    pub(crate) fn new(settings: CircuitSettings, brake: BrakeSettings) -> Self {
        Self { settings, brake, state: State::Closed, recent: VecDeque::new(), awaited: None }
    }

    /// Returns what may be received now.
    pub(crate) fn admits(&self, now: Instant) -> Admission {
        match self.state {
            State::Closed => Admission::All,
            State::Open { until, .. } if now < until => Admission::NothingUntil(until),
            State::Open { .. } => Admission::OneProbe,
        }
    }

    /// Records the end of a message. Returns the change that follows from it, if any. While the circuit is open only
    /// probes count, since all other messages were received before it opened.
    pub(crate) fn record(
        &mut self,
        message: &Receipt,
        signal: Signal,
        probe: bool,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<Change> {
        if let State::Open { trouble, probes, .. } = &self.state {
            let (trouble, probes) = (trouble.clone(), *probes);
            return probe.then(|| self.probed(message, signal, trouble, probes, now, rng));
        }
        self.remember(message, signal, now);
        let trouble = self.trouble_of_most()?;
        let pause = self.open(trouble.clone(), 1, now, rng);
        Some(Change::Opened { trouble, pause })
    }

    /// Decides what the end of a probe means for the open circuit.
    fn probed(
        &mut self,
        message: &Receipt,
        signal: Signal,
        trouble: Trouble,
        probes: u32,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Change {
        let (trouble, probes) = match &signal {
            // The dependency is available again, even though it refused this message. One rejection is too few to
            // engage the brake.
            Signal::Failed(Trouble { dependency, kind: TroubleKind::Rejected, .. })
                if *dependency == trouble.dependency && !trouble.is_brake() =>
            {
                return self.close(message, signal, trouble, now);
            }
            Signal::Handled => return self.close(message, signal, trouble, now),
            // A rejection for another reason says nothing about the trouble that receiving pauses for.
            Signal::Failed(other) if other.is_brake() && *other != trouble => (trouble, probes),
            // The newest trouble is reported from now on, and the pause grows.
            Signal::Failed(other) => (other.clone(), probes.saturating_add(1)),
            // The message is gone and showed nothing about the dependency, so the next one probes at once.
            Signal::OwnFault => {
                if let State::Open { until, .. } = &mut self.state {
                    *until = now;
                }
                return Change::StillOpen { trouble, pause: Duration::ZERO };
            }
            // Inconclusive. The message is invisible until its retry, so the next one probes at once: to wait would be to
            // receive the same one again and again, such as one that waits for what another message brings.
            Signal::Unclear => {
                if let State::Open { until, unclear, .. } = &mut self.state
                    && *unclear < UNCLEAR_AT_ONCE
                {
                    *unclear += 1;
                    *until = now;
                    return Change::StillOpen { trouble, pause: Duration::ZERO };
                }
                (trouble, probes)
            }
        };
        let pause = self.open(trouble.clone(), probes, now, rng);
        Change::StillOpen { trouble, pause }
    }

    /// Notes that a message was returned to the queue until `visible`. It will be received then, here or elsewhere.
    pub(crate) fn returned(&mut self, visible: Instant) {
        self.awaited = self.awaited.max(Some(visible));
    }

    /// Records a probe that began then and found no message. Without messages nothing shows that the dependency is
    /// available again, so the trouble counts as over when it was last observed a whole window ago. As long as
    /// a message is known to become visible, it is waited for.
    pub(crate) fn found_none(&mut self, began: Instant) -> Option<Change> {
        let State::Open { trouble, observed, .. } = &self.state else { return None };
        let over = *observed + self.settings.window;
        if began < self.awaited.map_or(over, |visible| visible.max(over)) {
            return None;
        }
        let trouble = trouble.clone();
        self.state = State::Closed;
        Some(Change::Expired { trouble })
    }

    /// Returns the trouble for which receiving pauses, if it pauses.
    pub(crate) fn trouble(&self) -> Option<&Trouble> {
        match &self.state {
            State::Closed => None,
            State::Open { trouble, .. } => Some(trouble),
        }
    }

    /// Adds an outcome, and forgets those that are too many or too old.
    fn remember(&mut self, message: &Receipt, signal: Signal, now: Instant) {
        self.recent.push_back(Outcome { at: now, message: message.clone(), signal });
        while let Some(oldest) = self.recent.front()
            && (self.recent.len() > REMEMBERED || now.duration_since(oldest.at) > self.settings.window)
        {
            self.recent.pop_front();
        }
    }

    /// Returns the trouble that most messages share, if there is one. Only the newest outcome's trouble is
    /// checked: any other was checked when its own outcome was recorded.
    fn trouble_of_most(&self) -> Option<Trouble> {
        let Signal::Failed(newest) = &self.recent.back()?.signal else { return None };
        let most = match newest.kind {
            TroubleKind::Unavailable => self.is_unavailable(newest) || self.is_hanging(newest),
            // No message would succeed, so there is no point in failing ten of them first.
            TroubleKind::Misconfigured => {
                self.is_unavailable(newest)
                    || self.count(|trouble| {
                        trouble.kind == newest.kind && trouble.dependency == newest.dependency
                    }) * 2
                        > self.recent.len()
            }
            TroubleKind::Rejected => self.is_rejecting(newest),
        };
        most.then(|| newest.clone())
    }

    /// Returns whether most messages failed for the newest trouble's dependency. Codes are not compared: an outage
    /// shows as timeouts, refused connections and 5xx alike.
    fn is_unavailable(&self, newest: &Trouble) -> bool {
        let failed = self.count(|trouble| !trouble.is_brake() && trouble.dependency == newest.dependency);
        self.recent.len() >= self.settings.min_messages && failed * 2 > self.recent.len()
    }

    /// Returns whether the newest trouble's dependency has stopped responding: two messages in a row, or all there
    /// were, waited for it in vain. A call that times out was attempted several times and took seconds, so ten of them
    /// would be noticed late on a queue with few messages or little concurrency. Two different messages are required if
    /// others were handled before, since a single one may be what the dependency takes too long for.
    fn is_hanging(&self, newest: &Trouble) -> bool {
        if newest.code != aws_clients::code::TIMEOUT {
            return false;
        }
        let mut telling = self
            .recent
            .iter()
            .rev()
            .filter(|outcome| !matches!(outcome.signal, Signal::OwnFault | Signal::Unclear))
            .peekable();
        let mut messages = HashSet::new();
        while let Some(outcome) =
            telling.next_if(|outcome| matches!(&outcome.signal, Signal::Failed(trouble) if trouble == newest))
        {
            messages.insert(outcome.message.message_id());
        }
        messages.len() >= 2 || telling.peek().is_none()
    }

    /// Returns whether most messages were rejected for one reason. Several different messages are required, since a
    /// single one that is redelivered again and again is probably at fault itself.
    fn is_rejecting(&self, newest: &Trouble) -> bool {
        // Messages at fault themselves don't count: however many there are, they must not hide that a dependency
        // rejects most of the others.
        let counted = self.recent.iter().filter(|outcome| outcome.signal != Signal::OwnFault).count();
        let rejected = self
            .recent
            .iter()
            .filter(|outcome| matches!(&outcome.signal, Signal::Failed(other) if other == newest));
        let messages: HashSet<_> = rejected.clone().map(|outcome| outcome.message.message_id()).collect();
        messages.len() >= self.brake.min_messages && rejected.count() * 2 > counted
    }

    /// Returns how many of the recent messages failed with such a trouble.
    fn count(&self, of: impl Fn(&Trouble) -> bool) -> usize {
        self.recent
            .iter()
            .filter(|outcome| matches!(&outcome.signal, Signal::Failed(trouble) if of(trouble)))
            .count()
    }

    /// Opens the circuit, or keeps it open, and returns the pause before the next probe. Outcomes from before the pause
    /// say nothing about the time after it, so they are forgotten.
    fn open(&mut self, trouble: Trouble, probes: u32, now: Instant, rng: &mut impl Rng) -> Duration {
        let pause = self.settings.pause.pause(probes, rng);
        self.state = State::Open { trouble, until: now + pause, probes, observed: now, unclear: 0 };
        self.recent.clear();
        pause
    }

    /// Closes the circuit. The probe's outcome is the first to count again.
    fn close(&mut self, message: &Receipt, signal: Signal, trouble: Trouble, now: Instant) -> Change {
        self.state = State::Closed;
        // Without it, a single misconfigured message would be most of all messages and open the circuit again at once.
        self.remember(message, signal, now);
        Change::Closed { trouble }
    }
}

#[cfg(test)]
mod tests;
