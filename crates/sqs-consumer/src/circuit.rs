//! Notices that a dependency is away, so that receiving pauses instead of failing message after message.

use std::collections::VecDeque;
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use crate::settings::CircuitSettings;

/// What the end of a message says about the dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Handled, or at fault itself: the dependencies did their part.
    Answered,
    /// Failed for this dependency.
    Away(&'static str),
    /// Failed for a reason that says nothing about a dependency.
    Unclear,
}

/// What may be received now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// As much as there are permits for.
    Open,
    /// Nothing before this time.
    Shut(Instant),
    /// One message.
    Probe,
}

/// A change worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Most messages failed for the dependency: receiving pauses.
    Opened { dependency: &'static str, pause: Duration },
    /// A probe failed: it pauses for longer.
    StillAway { dependency: &'static str, pause: Duration },
    /// A probe went through: receiving goes on.
    Closed { dependency: &'static str },
}

enum State {
    Closed,
    Open { dependency: &'static str, until: Instant, probes: u32 },
}

pub(crate) struct Circuit {
    settings: CircuitSettings,
    state: State,
    recent: VecDeque<(Instant, Signal)>,
}

/// How many outcomes are remembered at most; enough to tell what most messages do, and quick to turn.
const REMEMBERED: usize = 50;

impl Circuit {
    pub(crate) fn new(settings: CircuitSettings) -> Self {
        Self { settings, state: State::Closed, recent: VecDeque::new() }
    }

    pub(crate) fn gate(&self, now: Instant) -> Gate {
        match self.state {
            State::Closed => Gate::Open,
            State::Open { until, .. } if now < until => Gate::Shut(until),
            State::Open { .. } => Gate::Probe,
        }
    }

    /// Takes in the end of a message. `probe` says whether it was received as a probe: while the circuit is open only
    /// probes count, since the others were received before.
    pub(crate) fn record(
        &mut self,
        signal: Signal,
        probe: bool,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<Change> {
        match self.state {
            State::Closed => {
                self.remember(signal, now);
                let dependency = self.mostly_away()?;
                let pause = self.open(dependency, 1, now, rng);
                Some(Change::Opened { dependency, pause })
            }
            State::Open { dependency, probes, .. } if probe => {
                let (dependency, probes) = match signal {
                    Signal::Answered => {
                        self.state = State::Closed;
                        return Some(Change::Closed { dependency });
                    }
                    Signal::Away(dependency) => (dependency, probes.saturating_add(1)),
                    // Neither good news nor bad: the next probe may tell.
                    Signal::Unclear => (dependency, probes),
                };
                let pause = self.open(dependency, probes, now, rng);
                Some(Change::StillAway { dependency, pause })
            }
            State::Open { .. } => None,
        }
    }

    /// The dependency that is away, while the circuit is open.
    pub(crate) fn away(&self) -> Option<&'static str> {
        match self.state {
            State::Closed => None,
            State::Open { dependency, .. } => Some(dependency),
        }
    }

    fn remember(&mut self, signal: Signal, now: Instant) {
        self.recent.push_back((now, signal));
        while let Some((at, _)) = self.recent.front()
            && (self.recent.len() > REMEMBERED || now.duration_since(*at) > self.settings.window)
        {
            self.recent.pop_front();
        }
    }

    fn mostly_away(&self) -> Option<&'static str> {
        if self.recent.len() < self.settings.min_messages {
            return None;
        }
        // A majority's name is found by pairing off those that differ; then it is counted.
        let mut candidate = (Signal::Unclear, 0_usize);
        for (_, signal) in &self.recent {
            candidate = match candidate {
                (_, 0) => (*signal, 1),
                (leading, lead) if leading == *signal => (leading, lead + 1),
                (leading, lead) => (leading, lead - 1),
            };
        }
        let Signal::Away(dependency) = candidate.0 else { return None };
        let away = self.recent.iter().filter(|(_, signal)| *signal == candidate.0).count();
        (away * 2 > self.recent.len()).then_some(dependency)
    }

    fn open(&mut self, dependency: &'static str, probes: u32, now: Instant, rng: &mut impl Rng) -> Duration {
        let pause = self.settings.pause.pause(probes, rng);
        self.state = State::Open { dependency, until: now + pause, probes };
        self.recent.clear();
        pause
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::ConsumerSettings;

    struct Bench {
        circuit: Circuit,
        rng: StdRng,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let settings = ConsumerSettings::new("x").circuit;
            Self { circuit: Circuit::new(settings), rng: StdRng::seed_from_u64(1), now: Instant::now() }
        }

        fn record(&mut self, signal: Signal) -> Option<Change> {
            self.circuit.record(signal, false, self.now, &mut self.rng)
        }

        fn probe(&mut self, signal: Signal) -> Option<Change> {
            self.circuit.record(signal, true, self.now, &mut self.rng)
        }

        fn open(&mut self) -> Duration {
            for _ in 0..9 {
                assert_eq!(self.record(Signal::Away("DynamoDB")), None);
            }
            let Some(Change::Opened { dependency: "DynamoDB", pause }) =
                self.record(Signal::Away("DynamoDB"))
            else {
                unreachable!()
            };
            pause
        }
    }

    #[test]
    fn opens_when_most_messages_fail_for_one_dependency() {
        let pause = Bench::new().open();
        assert!((2_500..=5_000).contains(&pause.as_millis()), "{pause:?}");
    }

    #[test]
    fn half_is_not_most_and_dependencies_are_not_added_up() {
        for others in [Signal::Answered, Signal::Unclear] {
            let mut bench = Bench::new();
            for _ in 0..50 {
                assert_eq!(bench.record(others), None);
                assert_eq!(bench.record(Signal::Away("DynamoDB")), None);
            }
        }
        let mut bench = Bench::new();
        for _ in 0..50 {
            assert_eq!(bench.record(Signal::Answered), None);
            assert_eq!(bench.record(Signal::Away("SES")), None);
            assert_eq!(bench.record(Signal::Away("DynamoDB")), None);
        }
        let mut bench = Bench::new();
        for _ in 0..50 {
            assert_eq!(bench.record(Signal::Unclear), None);
        }
    }

    #[test]
    fn forgets_what_is_long_ago() {
        let mut bench = Bench::new();
        for _ in 0..100 {
            assert_eq!(bench.record(Signal::Away("SES")), None);
            bench.now += Duration::from_secs(7);
        }
    }

    #[test]
    fn lets_one_probe_through_and_waits_longer_each_time_it_fails() {
        let mut bench = Bench::new();
        let mut pause = bench.open();
        for _ in 0..8 {
            assert_eq!(bench.circuit.gate(bench.now), Gate::Shut(bench.now + pause));
            assert_eq!(bench.record(Signal::Answered), None, "received before it opened");
            bench.now += pause;
            assert_eq!(bench.circuit.gate(bench.now), Gate::Probe);
            let Some(Change::StillAway { pause: longer, .. }) = bench.probe(Signal::Away("DynamoDB")) else {
                unreachable!()
            };
            pause = longer;
        }
        assert!((30..=60).contains(&pause.as_secs()), "{pause:?}");
        bench.now += pause;
        assert_eq!(bench.probe(Signal::Answered), Some(Change::Closed { dependency: "DynamoDB" }));
        assert_eq!(bench.circuit.gate(bench.now), Gate::Open);
        bench.open();
    }
}
