//! The estimate against sums done by hand.
#![expect(clippy::float_cmp, reason = "rounded to whole numbers")]

use super::*;

/// Returns the estimate's JSON. The sampling rate is that of docs/capacity.md: 1 % at a million a minute.
fn estimate(region: &str, events_a_minute: u32, services: u32) -> serde_json::Value {
    let region = prices::find(region).unwrap().unwrap();
    let choice = Choice { services: Services::Count(services), ..choice(events_a_minute) };
    report::document(&Estimate::of(&region, choice).unwrap())
}

pub(super) fn choice(events_a_minute: u32) -> Choice {
    let sampling_rate = if events_a_minute == 1_000_000 { 0.01 } else { 0.05 };
    Choice::of(Load { events_a_minute, sampling_rate })
}

/// Returns the estimate's JSON in Frankfurt.
pub(super) fn chosen(choice: Choice) -> serde_json::Value {
    report::document(&Estimate::of(&prices::find("eu-central-1").unwrap().unwrap(), choice).unwrap())
}

pub(super) fn fee(estimate: &serde_json::Value, name: &str) -> f64 {
    let fees = estimate["fees"].as_array().unwrap();
    let fee = fees.iter().find(|fee| fee["fee"] == name).unwrap_or_else(|| panic!("no fee {name}"));
    fee["usd_a_month"].as_f64().unwrap().round()
}

pub(super) fn fees(estimate: &serde_json::Value, expected: &[(&str, f64)]) {
    for (name, usd) in expected {
        assert_eq!(fee(estimate, name), *usd, "{name}");
    }
}

/// 1,000 × 60 × 24 × 30 = 43.2 million events a month.
#[test]
fn a_thousand_a_minute_with_the_declared_services() {
    let estimate = estimate("eu-central-1", 1_000, 9);
    fees(
        &estimate,
        &[
            ("EventBridge, events", 86.0),         // 43.2 × 2 × 1.00
            ("EventBridge, Pipe", 17.0),           // 43.2 × 0.40
            ("SQS, requests", 287.0),              // 43.2 × 7 × (1 + 1 + 1 ÷ 2.67) × 0.40
            ("SNS, publishes", 21.0),              // 43.2 × (0.164 + 0.836 ÷ 1.035) × 0.50
            ("DynamoDB, writes", 329.0),           // 43.2 × 10 × 0.7625
            ("DynamoDB, reads", 46.0),             // 43.2 × 7 × 0.1525
            ("DynamoDB, storage", 8.0),            // 20.16 million × 1.25 KB = 25.2 GB × 0.306
            ("S3, writes", 247.0),                 // (43.2 + 2 × 43,200 × 30 = 2.592) × 5.40
            ("S3, reads", 19.0),                   // 43.2 × 0.43
            ("S3, storage", 1.0),                  // 86.4 million × 0.6 KB = 51.8 GB × 0.0245
            ("KMS, requests", 0.0),                // 2 × 720 × 12 = 17,280 × 3.00 a million
            ("Fargate, vCPU", 121.0),              // 18 × 0.25 × 720 × 0.03725
            ("Fargate, memory", 27.0),             // 18 × 0.5 × 720 × 0.00409
            ("Load balancer", 19.0),               // 720 × 0.027
            ("Load balancer, capacity", 1.0),      // 43.2 million × 2 KB = 86.4 GB × 0.008
            ("NAT gateway", 37.0),                 // 720 × 0.052
            ("NAT gateway, data", 108.0),          // 43.2 million × 48.24 KB = 2,084 GB × 0.052
            ("X-Ray, traces", 35.0),               // (2 + 14.67 × 0.05) a second = 7.08 million × 5.00
            ("X-Ray, Insights", 7.0),              // 7.08 million × 1.00
            ("Logs, services", 104.0),             // 43.2 million × 3,818 bytes = 164.9 GB × 0.63
            ("Logs, metrics (EMF)", 20.0),         // 18 × 43,200 × 40 KB = 31.1 GB × 0.63
            ("Metrics", 162.0),                    // 9 × 60 × 0.30
            ("Container Insights, metrics", 48.0), // (8 + 9 × 17) × 0.30
            ("Container Insights, logs", 2.0),     // 18 × 43,200 × 4 KB = 3.11 GB × 0.63
            ("SES, mails", 4_320.0),               // 43.2 million × 0.10 a thousand
        ],
    );
    assert_eq!(estimate["tasks"]["all"], 18);
}

/// 432 million events a month; three services consume the announcement beside the declared ones.
#[test]
fn ten_thousand_a_minute_with_twelve_services() {
    let estimate = estimate("eu-central-1", 10_000, 12);
    fees(
        &estimate,
        &[
            ("EventBridge, events", 864.0), // 432 × 2 × 1.00: consumers cost the bus nothing
            ("SQS, requests", 3_638.0),     // 432 × 10 × (1 + 1 + 1 ÷ 9.51) × 0.40
            ("DynamoDB, writes", 4_282.0),  // 432 × 13 × 0.7625
            ("DynamoDB, reads", 461.0),     // 432 × 7 × 0.1525
            ("Fargate, vCPU", 241.0),       // 36 × 0.25 × 720 × 0.03725
            ("Fargate, memory", 53.0),      // 36 × 0.5 × 720 × 0.00409
            ("NAT gateway, data", 1_272.0), // 432 million × 56.60 KB = 24,452 GB × 0.052
            ("X-Ray, traces", 145.0),       // (3 + 163.67 × 0.05) a second = 28.99 million × 5.00
            ("Logs, services", 1_438.0),    // 432 million × 5,282 bytes = 2,282 GB × 0.63
            ("Logs, metrics (EMF)", 39.0),  // 36 × 43,200 × 40 KB = 62.2 GB × 0.63
            ("Metrics", 216.0),             // 12 × 60 × 0.30
            ("Container Insights, metrics", 64.0), // (8 + 12 × 17) × 0.30
            ("SES, mails", 43_200.0),
        ],
    );
    assert_eq!(estimate["tasks"]["all"], 36);
}

/// 43.2 billion events a month.
#[test]
fn a_million_a_minute_with_the_declared_services_in_virginia() {
    let estimate = estimate("us-east-1", 1_000_000, 9);
    fees(
        &estimate,
        &[
            ("EventBridge, events", 86_400.0), // 43,200 × 2 × 1.00
            ("EventBridge, Pipe", 17_280.0),   // 43,200 × 0.40
            // 43,200 × 7 × 1.2 = 362,880: 100,000 × 0.40 + 100,000 × 0.30 + 162,880 × 0.24
            ("SQS, requests", 109_091.0),
            ("SNS, publishes", 6_113.0), // 43,200 × (0.0117 + 0.9883 ÷ 3.642) × 0.50
            ("DynamoDB, writes", 270_000.0), // 43,200 × 10 × 0.625
            ("DynamoDB, reads", 37_800.0), // 43,200 × 7 × 0.125
            ("DynamoDB, storage", 6_300.0), // 20,160 million × 1.25 KB = 25,200 GB × 0.25
            ("S3, writes", 216_181.0),   // (43,200 + 28 × 43,200 × 30 = 36.288) × 5.00
            ("S3, reads", 17_280.0),     // 43,200 × 0.40
            ("S3, storage", 1_192.0),    // 86,400 million × 0.6 KB = 51,840 GB × 0.023
            ("KMS, requests", 1.0),      // 28 × 720 × 12 = 241,920 × 3.00 a million
            ("Fargate, vCPU", 11_750.0), // 252 × 2 × 720 × 0.03238
            ("Fargate, memory", 2_584.0), // 252 × 4 × 720 × 0.00356
            ("Load balancer, capacity", 691.0), // 86,400 GB × 0.008
            ("NAT gateway, data", 59_346.0), // 43,200 million × 30.53 KB = 1,318,795 GB × 0.045
            ("X-Ray, traces", 2_519.0),  // (28 + 16,638.67 × 0.01) a second = 503.9 million × 5.00
            ("X-Ray, Insights", 504.0),
            ("Logs, services", 82_469.0),   // 164,938 GB × 0.50
            ("Logs, metrics (EMF)", 218.0), // 252 × 43,200 × 40 KB = 435.5 GB × 0.50
            ("SES, mails", 4_320_000.0),
        ],
    );
    assert_eq!(estimate["first_ceiling"]["hop"], "EventBridge, invocations");
    assert_eq!(estimate["first_ceiling"]["events_per_minute"], 225_000.0);
}

#[test]
fn a_million_a_minute_with_thirty_three_services() {
    let estimate = estimate("eu-central-1", 1_000_000, 33);
    fees(
        &estimate,
        &[
            // 43,200 × 31 × 1.2 = 1,607,040: 100,000 × 0.40 + 100,000 × 0.30 + 1,407,040 × 0.24
            ("SQS, requests", 407_690.0),
            ("DynamoDB, writes", 1_119_960.0), // 43,200 × 34 × 0.7625
            ("NAT gateway, data", 236_370.0),  // 43,200 million × 105.22 KB = 4,545,579 GB × 0.052
            ("Fargate, vCPU", 49_563.0),       // 924 × 2 × 720 × 0.03725
            ("Metrics", 594.0),                // 33 × 60 × 0.30
        ],
    );
    assert_eq!(estimate["tasks"]["all"], 924);
    let consumers = &estimate["consumers"];
    assert_eq!(consumers["invocations_per_event"], 29);
    assert_eq!(consumers["topic_pays"], false); // 135,000 is less than a million even so
}

/// 60 × 4,500 ÷ consumers.
#[test]
fn each_consumer_lowers_the_ceiling_in_frankfurt() {
    for (services, ceiling, with_one_more) in
        [(9, 54_000.0, 45_000.0), (10, 45_000.0, 38_571.0), (12, 33_750.0, 30_000.0), (33, 9_310.0, 9_000.0)]
    {
        let estimate = estimate("eu-central-1", 10_000, services);
        assert_eq!(estimate["first_ceiling"]["hop"], "EventBridge, invocations", "{services}");
        assert_eq!(estimate["first_ceiling"]["events_per_minute"], ceiling, "{services}");
        assert_eq!(estimate["consumers"]["ceiling_with_one_more"], with_one_more, "{services}");
        // 9,310 is below the rate, and a topic allows 135,000.
        assert_eq!(estimate["consumers"]["topic_pays"], services == 33, "{services}");
        assert_eq!(estimate["consumers"]["topic_usd_a_month"], 216.0);
    }
}

#[test]
fn each_service_has_alarms_and_perhaps_a_dashboard() {
    let few = estimate("eu-central-1", 1_000, 9);
    let many = estimate("eu-central-1", 1_000, 33);
    assert!(fee(&few, "Alarms") >= 3.0, "{few}");
    assert!(fee(&many, "Alarms") > fee(&few, "Alarms") + 10.0, "{many}");
    assert_eq!(fee(&few, "Key"), 2.0);
}

/// The sums hold for the text as well, and what no page shows is marked.
#[test]
fn the_text_names_the_ceiling_and_what_is_unverified() {
    let region = prices::find("eu-central-1").unwrap().unwrap();
    let choice = Choice { services: Services::Count(12), ..choice(60_000) };
    let text = report::text(&Estimate::of(&region, choice).unwrap(), Style::PLAIN);
    for expected in [
        "first ceiling    33,750 events a minute, EventBridge, invocations\n",
        "× 5 per million traces",
        "× 0.052? per GB",
        "One more consumer: 30,000.",
        "Fan-out by a topic pays: the bus delivers to the topic once, which allows 135,000 events a minute for 1,296 USD",
        "12 (3 beyond the declared ones)",
        "tables           on-demand\n",
        "reserved for a year: ",
        "a publish 3.2 notifications (A22).",
    ] {
        assert!(text.contains(expected), "{expected} is not in:\n{text}");
    }
}

/// 166.67 events a second; of thirteen tables and indexes four are written and six read by each event.
#[test]
fn provisioned_tables_are_paid_for_by_the_hour_and_scaled_by_alarms() {
    let on_demand = chosen(choice(10_000));
    let provisioned = chosen(Choice { capacity: Capacity::Provisioned, ..choice(10_000) });
    fees(
        &provisioned,
        &[
            // 953 + 239 + 715 + 477 units that are 70 % consumed, and 9 × 5: 2,429 × 720 × 0.000793
            ("DynamoDB, writes", 1_387.0),
            // 5 × 239 + 477, and 7 × 5: 1,707 × 720 × 0.0001586
            ("DynamoDB, reads", 195.0),
            ("DynamoDB, storage", 77.0),
        ],
    );
    // Four for each of two policies.
    assert_eq!(fee(&provisioned, "Alarms"), (fee(&on_demand, "Alarms") + 10.4).round());
    for estimate in [&on_demand, &provisioned] {
        assert_eq!(estimate["tables"]["on_demand_usd_a_month"].as_f64().unwrap().round(), 3_755.0);
        assert_eq!(estimate["tables"]["provisioned_usd_a_month"].as_f64().unwrap().round(), 1_592.0);
    }
    let saved = on_demand["usd_a_month"].as_f64().unwrap() - provisioned["usd_a_month"].as_f64().unwrap();
    assert!((saved - (3_755.16 - 1_592.19)).abs() < 0.05, "{saved}");
    assert_eq!(
        (&on_demand["capacity"], &provisioned["capacity"]),
        (&"on-demand".into(), &"provisioned".into())
    );
}

/// 432 million events a month at the four services of which one sends a mail.
#[test]
fn only_the_named_services_are_paid_for() {
    let names = ["ingest", "membership", "notifier", "email"].map(str::to_owned).to_vec();
    let estimate = chosen(Choice { services: Services::Only(names), ..choice(10_000) });
    fees(
        &estimate,
        &[
            ("EventBridge, events", 864.0), // 432 × 2 × 1.00
            ("SQS, requests", 1_091.0),     // 432 × 3 × (1 + 1 + 1 ÷ 9.51) × 0.40
            ("SNS, publishes", 175.0),      // 432 × (0.0671 + 0.9329 ÷ 1.259) × 0.50
            ("DynamoDB, writes", 2_635.0),  // 432 × 8 × 0.7625
            ("DynamoDB, reads", 198.0),     // 432 × 3 × 0.1525
            ("S3, writes", 0.0),            // neither a pass nor an archive
            ("KMS, requests", 0.0),
            ("Fargate, vCPU", 80.0),      // 12 × 0.25 × 720 × 0.03725
            ("NAT gateway, data", 508.0), // 432 million × 22.62 KB = 9,771 GB × 0.052
            ("Logs, services", 508.0),    // 432 million × 1,866 bytes = 806 GB × 0.63
            ("Metrics", 72.0),            // 4 × 60 × 0.30
        ],
    );
    assert_eq!((&estimate["services"], &estimate["tasks"]["all"]), (&4.into(), &12.into()));
    assert_eq!(estimate["consumers"]["invocations_per_event"], 2);
}

#[test]
fn a_table_that_needs_more_units_than_it_may_have_is_noted() {
    let region = prices::find("eu-central-1").unwrap().unwrap();
    let text = |rate| report::text(&Estimate::of(&region, choice(rate)).unwrap(), Style::PLAIN);
    assert!(!text(10_000).contains("MaximumUnits"));
    // 16,667 × 4 ÷ 0.7
    assert!(text(1_000_000).contains("A table needs 95,239 units"), "{}", text(1_000_000));
}

#[test]
fn a_pause_between_receives_saves_requests() {
    let pause = |ms| {
        let estimate = chosen(Choice { receive_pause: Duration::from_millis(ms), ..choice(10_000) });
        (fee(&estimate, "SQS, requests"), estimate["messages_per_request"]["receive"].as_f64().unwrap())
    };
    // 432 × 7 × (1 + 1 ÷ receive + 1 ÷ 9.51) × 0.40, at 55.6 a second and task
    assert_eq!(pause(0), (2_546.0, 1.0));
    let (usd, receive) = pause(100);
    assert!((receive - 5.5).abs() < 0.1, "{receive}");
    assert_eq!(usd, (432.0 * 7.0 * (1.0 + 1.0 / receive + 1.0 / 9.512) * 0.4_f64).round());
}

#[test]
fn what_cannot_be_estimated_is_refused() {
    let args = |region: &str, services, only: &[&str]| CostArgs {
        events_per_minute: 1,
        services,
        only: only.iter().map(|&name| name.to_owned()).collect(),
        capacity: Capacity::OnDemand,
        target_utilization: None,
        receive_pause: None,
        publish_linger: None,
        hop_lines: HopLines::All,
        egress: Egress::Nat,
        region: region.to_owned(),
        sampling_rate: 0.05,
        json: true,
    };
    let refused = |args: &CostArgs| {
        let error = run(args, &Environment::default()).unwrap_err();
        assert_eq!(crate::failure::code_of(&error), crate::failure::USAGE);
        error.to_string()
    };
    let frankfurt = "eu-central-1";
    assert!(refused(&args(frankfurt, Some(3), &[])).contains("--only names those"));
    assert!(refused(&args(frankfurt, None, &["ingest", "emial"])).contains("membership, rewards"));
    assert!(refused(&args(frankfurt, None, &["ingest", "email"])).contains("without membership"));
    assert!(refused(&args("eu-west-9", None, &[])).contains("eu-central-1, us-east-1"));
    let without_units = CostArgs { target_utilization: Some(90), ..args(frankfurt, None, &[]) };
    assert!(refused(&without_units).contains("--capacity provisioned or reserved"));
}
