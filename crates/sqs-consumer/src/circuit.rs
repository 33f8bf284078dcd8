//! Notices that most messages fail for a reason that is not theirs, so that receiving pauses instead of failing message
//! after message.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use crate::queue::Receipt;
use crate::settings::{BrakeSettings, CircuitSettings};

/// What the end of a message says about the dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Handled: the dependencies did their part.
    Handled,
    /// Failed for a dependency.
    Failed(Trouble),
    /// At fault itself. It says nothing about a dependency, and never counts towards the brake.
    OwnFault,
    /// Failed for a reason that says nothing about a dependency.
    Unclear,
}

/// What is wrong with a dependency, as far as one message shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) dependency: &'static str,
    pub(crate) kind: TroubleKind,
    /// The dependency's error code, or the reason of the failure.
    pub(crate) code: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// It asks for fewer calls, or does not answer.
    Unavailable,
    /// Nobody's call would pass.
    Misconfigured,
    /// It refuses what this message leads to.
    Rejected,
}

impl Trouble {
    /// Whether receiving pauses for the brake rather than the circuit.
    pub(crate) fn is_brake(&self) -> bool {
        self.kind == TroubleKind::Rejected
    }
}

/// The reason of a readiness check that is down: `SNS misconfigured: AuthorizationError`.
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
    /// As much as there are permits for.
    All,
    /// Nothing before this time.
    NothingUntil(Instant),
    /// One message.
    OneProbe,
}

/// A change to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Most messages failed for this trouble: receiving pauses.
    Opened { trouble: Trouble, pause: Duration },
    /// A probe failed: receiving pauses for longer.
    StillOpen { trouble: Trouble, pause: Duration },
    /// A probe passed: receiving resumes.
    Closed { trouble: Trouble },
}

enum State {
    Closed,
    Open { trouble: Trouble, until: Instant, probes: u32 },
}

/// Circuit and brake in one: they differ in what opens them and in what is reported, not in what they do.
pub(crate) struct Circuit {
    settings: CircuitSettings,
    brake: BrakeSettings,
    state: State,
    recent: VecDeque<Outcome>,
}

struct Outcome {
    at: Instant,
    message: Receipt,
    signal: Signal,
}

/// How many outcomes are remembered at most: enough to tell what most messages do, and few enough to react quickly.
const REMEMBERED: usize = 50;

impl Circuit {
    pub(crate) fn new(settings: CircuitSettings, brake: BrakeSettings) -> Self {
        Self { settings, brake, state: State::Closed, recent: VecDeque::new() }
    }

    pub(crate) fn admits(&self, now: Instant) -> Admission {
        match self.state {
            State::Closed => Admission::All,
            State::Open { until, .. } if now < until => Admission::NothingUntil(until),
            State::Open { .. } => Admission::OneProbe,
        }
    }

    /// Records the end of a message. While the circuit is open only probes count, since the others were received before
    /// it opened.
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
            // The dependency answers, if only to refuse this message: one rejection does not engage the brake.
            Signal::Failed(Trouble { dependency, kind: TroubleKind::Rejected, .. })
                if *dependency == trouble.dependency && !trouble.is_brake() =>
            {
                return self.close(message, signal, trouble, now);
            }
            Signal::Handled => return self.close(message, signal, trouble, now),
            Signal::Failed(other) if other.is_brake() && *other != trouble => (trouble, probes),
            Signal::Failed(other) => (other.clone(), probes.saturating_add(1)),
            // The message left without a word about the dependency, so the next one probes at once.
            Signal::OwnFault => {
                self.state = State::Open { trouble: trouble.clone(), until: now, probes };
                return Change::StillOpen { trouble, pause: Duration::ZERO };
            }
            // Inconclusive; wait for the next probe.
            Signal::Unclear => (trouble, probes),
        };
        let pause = self.open(trouble.clone(), probes, now, rng);
        Change::StillOpen { trouble, pause }
    }

    /// What keeps receiving from going on, while it pauses.
    pub(crate) fn trouble(&self) -> Option<&Trouble> {
        match &self.state {
            State::Closed => None,
            State::Open { trouble, .. } => Some(trouble),
        }
    }

    fn remember(&mut self, message: &Receipt, signal: Signal, now: Instant) {
        self.recent.push_back(Outcome { at: now, message: message.clone(), signal });
        while let Some(oldest) = self.recent.front()
            && (self.recent.len() > REMEMBERED || now.duration_since(oldest.at) > self.settings.window)
        {
            self.recent.pop_front();
        }
    }

    /// Only the newest outcome can have made a trouble that of most messages.
    fn trouble_of_most(&self) -> Option<Trouble> {
        let Signal::Failed(newest) = &self.recent.back()?.signal else { return None };
        let most = match newest.kind {
            TroubleKind::Unavailable => self.is_unavailable(newest),
            // Nobody's message would pass, so there is no point in trying ten of them first.
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

    fn is_unavailable(&self, newest: &Trouble) -> bool {
        let failed = self.count(|trouble| !trouble.is_brake() && trouble.dependency == newest.dependency);
        self.recent.len() >= self.settings.min_messages && failed * 2 > self.recent.len()
    }

    /// Whether most messages were rejected for one reason, and it is not a single message that keeps coming.
    fn is_rejecting(&self, newest: &Trouble) -> bool {
        let counted = self.recent.iter().filter(|outcome| outcome.signal != Signal::OwnFault).count();
        let rejected = self
            .recent
            .iter()
            .filter(|outcome| matches!(&outcome.signal, Signal::Failed(other) if other == newest));
        let messages: HashSet<_> = rejected.clone().map(|outcome| outcome.message.message_id()).collect();
        messages.len() >= self.brake.min_messages && rejected.count() * 2 > counted
    }

    fn count(&self, of: impl Fn(&Trouble) -> bool) -> usize {
        self.recent
            .iter()
            .filter(|outcome| matches!(&outcome.signal, Signal::Failed(trouble) if of(trouble)))
            .count()
    }

    fn open(&mut self, trouble: Trouble, probes: u32, now: Instant, rng: &mut impl Rng) -> Duration {
        let pause = self.settings.pause.pause(probes, rng);
        self.state = State::Open { trouble, until: now + pause, probes };
        self.recent.clear();
        pause
    }

    fn close(&mut self, message: &Receipt, signal: Signal, trouble: Trouble, now: Instant) -> Change {
        self.state = State::Closed;
        // One success to outweigh, or the next misconfigured message alone would open it again.
        self.remember(message, signal, now);
        Change::Closed { trouble }
    }
}

#[cfg(test)]
mod tests;
