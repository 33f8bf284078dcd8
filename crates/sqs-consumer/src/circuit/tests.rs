//! Tests of the state machine, without a runtime.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;
use crate::ConsumerSettings;

struct Bench {
    circuit: Circuit,
    rng: StdRng,
    now: Instant,
    messages: u32,
}

fn failed(dependency: &'static str, kind: TroubleKind, code: &str) -> Signal {
    Signal::Failed(Trouble { dependency, kind, code: code.to_owned() })
}

fn unavailable(dependency: &'static str) -> Signal {
    failed(dependency, TroubleKind::Unavailable, "ServiceUnavailable")
}

fn timeout() -> Signal {
    failed("DynamoDB", TroubleKind::Unavailable, aws_clients::code::TIMEOUT)
}

fn misconfigured() -> Signal {
    failed("SNS", TroubleKind::Misconfigured, "AuthorizationError")
}

fn rejected(code: &str) -> Signal {
    failed("SNS", TroubleKind::Rejected, code)
}

impl Bench {
    fn new() -> Self {
        let ConsumerSettings { circuit, brake, .. } = ConsumerSettings::new("x");
        let circuit = Circuit::new(circuit, brake);
        Self { circuit, rng: StdRng::seed_from_u64(1), now: Instant::now(), messages: 0 }
    }

    fn message(&mut self) -> Receipt {
        self.messages += 1;
        Receipt::new(self.messages.to_string(), "")
    }

    fn record(&mut self, signal: Signal) -> Option<Change> {
        let message = self.message();
        self.record_of(&message, signal)
    }

    fn record_of(&mut self, message: &Receipt, signal: Signal) -> Option<Change> {
        self.circuit.record(message, signal, false, self.now, &mut self.rng)
    }

    fn probe(&mut self, signal: Signal) -> Option<Change> {
        let message = self.message();
        self.circuit.record(&message, signal, true, self.now, &mut self.rng)
    }

    fn open(&mut self) -> Duration {
        for _ in 0..9 {
            assert_eq!(self.record(unavailable("DynamoDB")), None);
        }
        let Some(Change::Opened { trouble, pause }) = self.record(unavailable("DynamoDB")) else {
            unreachable!()
        };
        assert_eq!(trouble.to_string(), "DynamoDB unavailable: ServiceUnavailable");
        pause
    }

    fn opened(&mut self, signal: Signal) -> String {
        let Some(Change::Opened { trouble, .. }) = self.record(signal) else { unreachable!("not opened") };
        trouble.to_string()
    }
}

#[test]
fn opens_when_most_messages_fail_for_one_dependency() {
    let pause = Bench::new().open();
    assert!((2_500..=5_000).contains(&pause.as_millis()), "{pause:?}");
}

#[test]
fn half_is_not_most_and_failures_of_different_dependencies_are_not_summed() {
    for others in [Signal::Handled, Signal::Unclear, Signal::OwnFault] {
        let mut bench = Bench::new();
        for _ in 0..50 {
            assert_eq!(bench.record(others.clone()), None);
            assert_eq!(bench.record(unavailable("DynamoDB")), None);
        }
    }
    let mut bench = Bench::new();
    for _ in 0..50 {
        assert_eq!(bench.record(Signal::Handled), None);
        assert_eq!(bench.record(unavailable("SES")), None);
        assert_eq!(bench.record(unavailable("DynamoDB")), None);
    }
    let mut bench = Bench::new();
    for _ in 0..50 {
        assert_eq!(bench.record(Signal::Unclear), None);
    }
}

#[test]
fn old_outcomes_are_forgotten() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        assert_eq!(bench.record(unavailable("SES")), None);
        bench.now += Duration::from_secs(7);
    }
    let mut bench = Bench::new();
    for _ in 0..100 {
        assert_eq!(bench.record(rejected("NotLiked")), None);
        bench.now += Duration::from_secs(31);
    }
}

#[test]
fn one_probe_is_admitted_at_a_time_and_pauses_grow_while_probes_fail() {
    let mut bench = Bench::new();
    let mut pause = bench.open();
    for _ in 0..8 {
        assert_eq!(bench.circuit.admits(bench.now), Admission::NothingUntil(bench.now + pause));
        assert_eq!(bench.record(Signal::Handled), None, "received before it opened");
        bench.now += pause;
        assert_eq!(bench.circuit.admits(bench.now), Admission::OneProbe);
        let Some(Change::StillOpen { pause: longer, .. }) = bench.probe(unavailable("DynamoDB")) else {
            unreachable!()
        };
        pause = longer;
    }
    assert!((30..=60).contains(&pause.as_secs()), "{pause:?}");
    bench.now += pause;
    assert!(matches!(bench.probe(Signal::Handled), Some(Change::Closed { .. })));
    assert_eq!(bench.circuit.admits(bench.now), Admission::All);
}

#[test]
fn a_misconfigured_dependency_opens_at_the_first_message() {
    assert_eq!(Bench::new().opened(misconfigured()), "SNS misconfigured: AuthorizationError");
}

#[test]
fn one_misconfigured_event_type_does_not_pause_a_busy_queue() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        assert_eq!(bench.record(Signal::Handled), None);
        assert_eq!(bench.record(misconfigured()), None);
        assert_eq!(bench.record(Signal::Handled), None);
    }
}

#[test]
fn the_brake_requires_most_messages_and_three_different_ones_rejected_for_one_reason() {
    let mut bench = Bench::new();
    let one = bench.message();
    for _ in 0..40 {
        assert_eq!(bench.record_of(&one, rejected("NotLiked")), None, "one message, redelivered");
    }
    let mut bench = Bench::new();
    for code in ["A", "B", "C", "D", "E", "F"] {
        assert_eq!(bench.record(rejected(code)), None, "{code} is one reason of several");
    }
    let mut bench = Bench::new();
    for _ in 0..50 {
        assert_eq!(bench.record(Signal::OwnFault), None);
    }
    assert_eq!((bench.record(rejected("NotLiked")), bench.record(rejected("NotLiked"))), (None, None));
    assert_eq!(bench.opened(rejected("NotLiked")), "SNS rejects most messages: NotLiked");
}

#[test]
fn successful_messages_keep_the_brake_off() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        assert_eq!(bench.record(Signal::Handled), None);
        assert_eq!(bench.record(rejected("NotLiked")), None);
    }
}

#[test]
fn a_probe_that_is_at_fault_itself_is_followed_by_the_next_at_once() {
    let mut bench = Bench::new();
    let pause = bench.open();
    bench.now += pause;
    assert!(matches!(bench.probe(Signal::OwnFault), Some(Change::StillOpen { pause: Duration::ZERO, .. })));
    assert_eq!(bench.circuit.admits(bench.now), Admission::OneProbe);
}

#[test]
fn probes_that_say_nothing_are_followed_by_others_at_once_but_not_for_ever() {
    let mut bench = Bench::new();
    let pause = bench.open();
    bench.now += pause;
    for _ in 0..10 {
        let next = bench.probe(Signal::Unclear);
        assert!(matches!(next, Some(Change::StillOpen { pause: Duration::ZERO, .. })), "{next:?}");
        assert_eq!(bench.circuit.admits(bench.now), Admission::OneProbe);
    }
    let Some(Change::StillOpen { pause, .. }) = bench.probe(Signal::Unclear) else { unreachable!() };
    assert_eq!(bench.circuit.admits(bench.now), Admission::NothingUntil(bench.now + pause));
    bench.now += pause;
    assert!(matches!(bench.probe(Signal::Unclear), Some(Change::StillOpen { pause: Duration::ZERO, .. })));
    assert!(matches!(bench.probe(Signal::Handled), Some(Change::Closed { .. })));
}

#[test]
fn a_rejected_probe_shows_that_the_dependency_is_available() {
    let mut bench = Bench::new();
    bench.opened(misconfigured());
    assert!(matches!(bench.probe(rejected("NotLiked")), Some(Change::Closed { .. })));
    assert_eq!(bench.record(rejected("NotLiked")), None);
    bench.opened(rejected("NotLiked"));
    // While the brake is engaged, a rejection for another reason says nothing about the original one.
    let Some(Change::StillOpen { trouble, .. }) = bench.probe(rejected("Other")) else { unreachable!() };
    assert_eq!(trouble.code, "NotLiked");
}

#[test]
fn a_dependency_that_stops_responding_opens_at_the_first_message_of_an_idle_queue() {
    let mut bench = Bench::new();
    assert_eq!(bench.record(Signal::OwnFault), None);
    assert_eq!(bench.opened(timeout()), "DynamoDB unavailable: timeout");
}

#[test]
fn a_dependency_that_stops_responding_opens_at_the_second_message_of_a_busy_queue() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        assert_eq!(bench.record(Signal::Handled), None);
    }
    let slow = bench.message();
    for _ in 0..5 {
        assert_eq!(bench.record_of(&slow, timeout()), None, "one message, redelivered");
    }
    bench.opened(timeout());
}

#[test]
fn single_timeouts_among_handled_messages_open_nothing() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        assert_eq!(bench.record(Signal::Handled), None);
        assert_eq!(bench.record(timeout()), None);
    }
}

#[test]
fn without_messages_the_trouble_is_over_after_a_window_unless_one_is_awaited() {
    let mut bench = Bench::new();
    bench.opened(misconfigured());
    let opened = bench.now;
    assert_eq!(bench.circuit.found_none(opened + Duration::from_secs(59)), None);
    bench.circuit.returned(opened + Duration::from_mins(15));
    bench.circuit.returned(opened + Duration::from_secs(1));
    assert_eq!(bench.circuit.found_none(opened + Duration::from_mins(14)), None, "a message is yet to come");
    let Some(Change::Expired { trouble }) = bench.circuit.found_none(opened + Duration::from_mins(15)) else {
        unreachable!()
    };
    assert_eq!(trouble.to_string(), "SNS misconfigured: AuthorizationError");
    assert_eq!(bench.circuit.admits(bench.now), Admission::All);
    assert_eq!(bench.circuit.found_none(opened + Duration::from_mins(16)), None, "nothing to change");
}
