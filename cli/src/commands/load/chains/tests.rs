use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::*;

const SERVICES: [&str; 4] = ["email", "app", "wallet", "archive"];

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_000_000 + milliseconds).unwrap()
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// The chain of event 1, which an announcement 2 and notifications from 3 on follow.
struct Fixture {
    expected: Arc<Expected>,
}

impl Fixture {
    fn new() -> Self {
        Self { expected: Arc::new(Expected::of_the_layer().unwrap()) }
    }

    fn chains(&self, event_type: &str) -> Chains {
        let mut chains = Chains::new(Arc::clone(&self.expected), at(0), Times::none());
        chains.sent(id(1), event_type, 5_000);
        chains.accepted(id(1), 9_000, None);
        chains
    }

    fn hop(&self, service: &str, event: u128, event_type: &str, ms: i64, outcome: Outcome) -> Hop {
        Hop {
            service: self.expected.place(service).unwrap(),
            at: at(ms),
            event_id: id(event),
            correlation_id: id(1),
            kind: self.expected.kind(event_type),
            outcome,
            waiting_ms: (service != "ingest").then_some(2),
            processing_ms: 3,
        }
    }

    /// The hops of an enrolment whose mail is sent 95 ms after the event was due.
    fn enrolment(&self) -> Vec<Hop> {
        let mut hops = vec![
            self.hop("ingest", 1, "CustomerEnrolled", 8, Outcome::Handled),
            self.hop("membership", 1, "CustomerEnrolled", 20, Outcome::Applied),
            self.hop("archive", 1, "CustomerEnrolled", 300, Outcome::Applied),
            self.hop("notifier", 2, "MemberEnrolled", 60, Outcome::Notified),
            self.hop("email", 3, "NotificationRequested", 100, Outcome::Mailed),
        ];
        hops.extend(SERVICES.map(|service| self.hop(service, 2, "MemberEnrolled", 50, Outcome::Applied)));
        hops
    }
}

fn the_chain(chains: &Chains) -> &Chain {
    chains.accepted_ones().next().unwrap().1
}

#[test]
fn a_chain_is_complete_with_its_last_hop_whatever_their_order() {
    let fixture = Fixture::new();
    for seed in 0..50 {
        let mut hops = fixture.enrolment();
        hops.shuffle(&mut StdRng::seed_from_u64(seed));
        let mut chains = fixture.chains("CustomerEnrolled");
        let news = hops.iter().filter(|hop| chains.hop(hop)).count();
        assert_eq!((news, chains.unfinished()), (hops.len(), 0), "{seed}");
        let chain = the_chain(&chains);
        assert_eq!(
            (chain.last_effect, chain.mailed, chain.ingested),
            (Some(100_000), Some(100_000), Some(8_000))
        );
        let (_, _, mail) = chains
            .hops()
            .find(|(service, input, _)| (*service, *input) == ("email", Input::Notification))
            .unwrap();
        assert!((mail.since_intended.percentiles().unwrap().max - 0.095).abs() < 1e-4);
    }
}

#[test]
fn every_missing_hop_but_ingests_leaves_it_unfinished() {
    let fixture = Fixture::new();
    let all = fixture.enrolment();
    for missing in 1..all.len() {
        let mut chains = fixture.chains("CustomerEnrolled");
        for (place, hop) in all.iter().enumerate() {
            if place != missing {
                chains.hop(hop);
            }
        }
        assert_eq!(chains.unfinished(), 1, "{:?}", all[missing]);
    }
}

#[test]
fn what_is_announced_for_certain_is_missed_though_nobody_has_seen_it() {
    let fixture = Fixture::new();
    for (event_type, service, unfinished) in [
        ("PointsEarned", "rewards", 1),
        ("DiscountGifted", "discounts", 1),
        ("CustomerRenamed", "membership", 0),
    ] {
        let mut chains = fixture.chains(event_type);
        chains.hop(&fixture.hop("archive", 1, event_type, 30, Outcome::Applied));
        chains.hop(&fixture.hop(service, 1, event_type, 20, Outcome::Applied));
        assert_eq!(chains.unfinished(), unfinished, "{event_type}");
    }
    // What comes too late is not applied, and announces nothing.
    let mut chains = fixture.chains("PointsEarned");
    chains.hop(&fixture.hop("archive", 1, "PointsEarned", 30, Outcome::Applied));
    chains.hop(&fixture.hop("rewards", 1, "PointsEarned", 20, Outcome::Handled));
    assert_eq!(chains.unfinished(), 0);
}

#[test]
fn attempts_and_repetitions_are_no_effects() {
    let fixture = Fixture::new();
    let mut chains = fixture.chains("CustomerRenamed");
    assert!(!chains.hop(&fixture.hop("membership", 1, "CustomerRenamed", 10, Outcome::Again)));
    assert_eq!(the_chain(&chains).last_effect, None);
    assert!(chains.hop(&fixture.hop("membership", 1, "CustomerRenamed", 20, Outcome::Applied)));
    assert!(!chains.hop(&fixture.hop("membership", 1, "CustomerRenamed", 90, Outcome::Applied)));
    assert_eq!(the_chain(&chains).last_effect, Some(20_000));
    let (_, _, times) = chains.hops().next().unwrap();
    assert_eq!((times.retries, times.since_intended.total()), (1, 1));
}

#[test]
fn a_dead_letter_is_a_loss_and_strangers_are_none() {
    let fixture = Fixture::new();
    let mut chains = fixture.chains("CustomerRenamed");
    chains.hop(&fixture.hop("archive", 1, "CustomerRenamed", 10, Outcome::Applied));
    chains.hop(&fixture.hop("membership", 1, "CustomerRenamed", 20, Outcome::DeadLettered));
    assert_eq!(chains.unfinished(), 1);
    assert!(the_chain(&chains).dead_lettered);
    let stranger =
        Hop { correlation_id: id(77), ..fixture.hop("archive", 77, "CustomerRenamed", 10, Outcome::Applied) };
    assert!(!chains.hop(&stranger));
}

#[test]
fn an_effect_may_be_known_before_the_answer() {
    let fixture = Fixture::new();
    let mut chains = Chains::new(Arc::clone(&fixture.expected), at(0), Times::none());
    chains.sent(id(1), "CustomerEnrolled", 5_000);
    for hop in fixture.enrolment() {
        chains.hop(&hop);
    }
    assert_eq!(chains.accepted_ones().count(), 0);
    chains.accepted(id(1), 200_000, None);
    assert_eq!((chains.unfinished(), chains.accepted_ones().count()), (0, 1));
}
