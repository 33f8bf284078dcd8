//! What can be saved, step by step: the table by the million events of docs/capacity.md, and sums done by hand.
#![expect(clippy::float_cmp, reason = "rounded to whole numbers and cents")]

use std::time::Duration;

use super::choice::{Capacity, Choice, Egress, HopLines, Services};
use super::estimate::Estimate;
use super::tests::{choice, chosen, fee, fees};
use super::{prices, report};
use crate::style::Style;

/// One step.
pub(super) struct Saving {
    pub(super) name: &'static str,
    pub(super) choose: fn(&mut Choice),
}

/// The steps, each on top of those before it.
pub(super) const SAVINGS: [Saving; 8] = [
    Saving { name: "as deployed by default, tables on demand", choose: |_| {} },
    Saving { name: "provisioned tables", choose: |choice| choice.capacity = Capacity::Provisioned },
    Saving {
        name: "a pause of 100 ms between receives",
        choose: |choice| choice.receive_pause = Duration::from_millis(100),
    },
    Saving {
        name: "hop lines of sampled traces alone",
        choose: |choice| choice.hop_lines = HopLines::Sampled,
    },
    Saving { name: "90 % of the units consumed", choose: |choice| choice.target_utilization = 90 },
    Saving {
        name: "endpoints in place of the NAT gateway",
        choose: |choice| choice.egress = Egress::Endpoints,
    },
    Saving {
        name: "a linger of 100 ms for notifications",
        choose: |choice| choice.publish_linger = Duration::from_millis(100),
    },
    Saving { name: "units reserved for a year", choose: |choice| choice.capacity = Capacity::Reserved },
];

/// The nine services at 10,000 events a minute, with what `choose` changes.
fn with(choose: fn(&mut Choice)) -> serde_json::Value {
    let mut choice = choice(10_000);
    choose(&mut choice);
    chosen(choice)
}

/// 166.67 ÷ 0.9 = 185.2 units for each that an event takes.
#[test]
fn the_more_of_the_units_is_consumed_the_fewer_are_paid_for() {
    let busy = with(|choice| {
        choice.capacity = Capacity::Provisioned;
        choice.target_utilization = 90;
    });
    fees(
        &busy,
        &[
            // 741 + 186 + 556 + 371, and 9 × 5: 1,899 × 720 × 0.000793
            ("DynamoDB, writes", 1_084.0),
            // 5 × 186 + 371, and 7 × 5: 1,336 × 720 × 0.0001586
            ("DynamoDB, reads", 153.0),
        ],
    );
    assert_eq!(busy["target_utilization_percent"], 90);
}

/// 2,429 units for writes and 1,707 for reads.
#[test]
fn whole_hundreds_are_paid_for_by_the_year() {
    let reserved = with(|choice| choice.capacity = Capacity::Reserved);
    fees(
        &reserved,
        &[
            ("DynamoDB, writes", 17.0),            // 29 × 720 × 0.000793
            ("DynamoDB, writes, reserved", 270.0), // 24 × 720 × 0.0156
            ("DynamoDB, writes, upfront", 366.0),  // 24 ÷ 12 × 183
            ("DynamoDB, reads", 1.0),              // 7 × 720 × 0.0001586
            ("DynamoDB, reads, reserved", 37.0),   // 17 × 720 × 0.00305
            ("DynamoDB, reads, upfront", 52.0),    // 17 ÷ 12 × 36.6
        ],
    );
    let provisioned = with(|choice| choice.capacity = Capacity::Provisioned);
    assert_eq!(fee(&reserved, "Alarms"), fee(&provisioned, "Alarms"));
    // 742.11 and 104 alarms for 10.40, whichever is chosen
    for estimate in [&reserved, &provisioned] {
        assert_eq!(estimate["tables"]["reserved_usd_a_month"], 752.51);
    }
    assert_eq!(reserved["capacity"], "reserved");
}

/// (3 + 163.67 × 0.05) ÷ 166.67 = 6.71 % of the traces are recorded.
#[test]
fn without_lines_of_unsampled_traces_few_bytes_are_logged() {
    let sampled = with(|choice| choice.hop_lines = HopLines::Sampled);
    fees(
        &sampled,
        &[
            ("Logs, services", 70.0), // 432 million × 3,818 bytes × 0.0671 = 110.7 GB × 0.63
            // 432 million × (42.53 - 3.818 × 1.2 × 0.9329) KB = 16,527 GB × 0.052
            ("NAT gateway, data", 859.0),
            ("Logs, metrics (EMF)", 29.0), // as before
        ],
    );
    assert_eq!(sampled["hop_lines"], "sampled");
}

/// Of 55.6 events a second and task, 51.8 have no recorded trace.
#[test]
fn notifications_share_calls_if_they_wait_for_each_other() {
    let lingering = with(|choice| choice.publish_linger = Duration::from_millis(100));
    // 432 × (0.0671 + 0.9329 ÷ 4.61) × 0.50: 5.18 more during the linger, of which at most four count
    assert_eq!(fee(&lingering, "SNS, publishes"), 58.0);
    assert_eq!(lingering["publish_linger_ms"], 100.0);

    let pausing = with(|choice| {
        choice.publish_linger = Duration::from_millis(100);
        choice.receive_pause = Duration::from_millis(100);
    });
    // 5.16 are received together; 42 % of the times they are six and more, and a call has room for five: 1.42 calls.
    // 432 × (0.0671 + 0.9329 × 1.42 ÷ 5.16) × 0.50
    assert_eq!(fee(&pausing, "SNS, publishes"), 70.0);
    // The headers of 0.808 - 0.323 calls less, of those with the pause alone: 33.93 - 0.485 × 1.5 KB
    assert_eq!(fee(&pausing, "NAT gateway, data"), 746.0);
    let notifications = pausing["notifications_per_publish"].as_f64().unwrap();
    assert!((notifications - 2.0 / 0.3231).abs() < 0.01, "{notifications}");
}

#[test]
fn endpoints_replace_the_lines_of_the_gateway() {
    let endpoints = with(|choice| choice.egress = Egress::Endpoints);
    let gateway = with(|_| {});
    assert_eq!(
        fee(&endpoints, "Endpoints") + fee(&endpoints, "Endpoints, data"),
        gateway["endpoints_instead_of_nat_usd_a_month"].as_f64().unwrap().round()
    );
    let usd = |estimate: &serde_json::Value| estimate["usd_a_month"].as_f64().unwrap();
    let saved = fee(&gateway, "NAT gateway") + fee(&gateway, "NAT gateway, data")
        - fee(&endpoints, "Endpoints")
        - fee(&endpoints, "Endpoints, data");
    assert!((usd(&gateway) - usd(&endpoints) - saved).abs() < 2.0, "{saved}");
    assert_eq!((&gateway["egress"], &endpoints["egress"]), (&"nat".into(), &"endpoints".into()));
}

/// The four services that take an event to a mail.
#[test]
fn every_step_saves_and_together_they_reach_seven_usd_a_million() {
    let names = ["ingest", "membership", "notifier", "email"].map(str::to_owned).to_vec();
    let mut choice = Choice { services: Services::Only(names), ..choice(10_000) };
    let mut totals = Vec::new();
    for saving in &SAVINGS {
        (saving.choose)(&mut choice);
        totals.push(chosen(choice.clone())["usd_per_million_events"].as_f64().unwrap());
    }
    assert!(totals.is_sorted_by(|before, after| before > after), "{totals:?}");
    assert!(totals.last().is_some_and(|total| *total <= 7.0), "{totals:?}");
}

/// 16,667 ÷ 28 tasks × (20 + 100) ms = 71.4 messages.
#[test]
fn a_linger_that_keeps_too_much_in_flight_is_noted() {
    let region = prices::find("eu-central-1").unwrap().unwrap();
    let text = |ms, rate| {
        let choice = Choice { publish_linger: Duration::from_millis(ms), ..choice(rate) };
        report::text(&Estimate::of(&region, choice).unwrap(), Style::PLAIN)
    };
    let note = "A task that publishes notifications has 71 messages in flight: raise CONSUMER_CONCURRENCY above 32\n";
    assert!(text(100, 1_000_000).contains(note), "{}", text(100, 1_000_000));
    assert!(!text(5, 1_000_000).contains("publishes notifications"));
    assert!(!text(100, 10_000).contains("publishes notifications"));
}
