//! What the alarms and dashboards in `deploy/` read is what a run of the layer sends through the real collector.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::Client;
use serde_json::{Value, json};

use super::metrics::{EVENTS, FOR_CLOUDWATCH, Logs, measured};
use crate::architecture::root;
use crate::mails::{event, logged};
use crate::wallet::Phone;
use crate::world::{World, until};

/// What exists only once something has failed, which this test makes happen at one service.
const OF_FAILURES: [&str; 5] = [
    "consumer.brake.engaged",
    "consumer.circuit.open",
    "consumer.dead_letters",
    "consumer.dead_letters.refused",
    "consumer.retries",
];
const FAILING: &str = "foostore-local-membership";

/// SQS's limit of a message with its attributes.
const LIMIT: usize = 1024 * 1024;

/// A metric and one of its sets of dimensions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Metric {
    name: String,
    dimensions: Vec<(String, String)>,
}

impl Metric {
    fn new(name: &Value, dimensions: impl Iterator<Item = (String, String)>) -> Self {
        let mut dimensions: Vec<_> = dimensions.collect();
        dimensions.sort();
        Self { name: name.as_str().unwrap().to_owned(), dimensions }
    }

    fn is_provoked(&self) -> bool {
        let failing = || self.dimensions.iter().any(|(_, value)| value == FAILING);
        !OF_FAILURES.contains(&self.name.as_str()) || failing()
    }
}

fn text(value: &Value) -> String {
    let text = value.as_str().or_else(|| value["Fn::Sub"].as_str());
    text.unwrap_or_else(|| panic!("no text: {value}")).replace("${Environment}", "local")
}

/// Returns the services' own metrics that alarms read, and those that widgets of a single metric show.
fn read_by_what_is_deployed() -> BTreeSet<Metric> {
    let mut found = BTreeSet::new();
    let services = root().join("deploy/services");
    for file in std::fs::read_dir(services).unwrap() {
        let template: Value =
            serde_saphyr::from_str(&std::fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        // What a metric filter makes of log lines does not come from the collector.
        let resources = template["Resources"].as_object().unwrap();
        let filtered: Vec<_> = resources
            .values()
            .filter_map(|resource| resource["Properties"]["MetricTransformations"][0]["MetricName"].as_str())
            .collect();
        for resource in resources.values() {
            match resource["Type"].as_str().unwrap() {
                "AWS::CloudWatch::Alarm" => in_alarm(&resource["Properties"], &mut found),
                "AWS::CloudWatch::Dashboard" => in_dashboard(&resource["Properties"], &mut found),
                _ => {}
            }
        }
        found.retain(|metric| !filtered.contains(&metric.name.as_str()));
    }
    found
}

fn in_alarm(value: &Value, found: &mut BTreeSet<Metric>) {
    if value.get("MetricName").is_some() {
        if text(&value["Namespace"]) == "foostore/local" {
            let dimensions = value["Dimensions"].as_array().into_iter().flatten();
            let dimensions =
                dimensions.map(|dimension| (text(&dimension["Name"]), text(&dimension["Value"])));
            found.insert(Metric::new(&value["MetricName"], dimensions));
        }
        return;
    }
    match value {
        Value::Object(object) => object.values().for_each(|value| in_alarm(value, found)),
        Value::Array(list) => list.iter().for_each(|value| in_alarm(value, found)),
        _ => {}
    }
}

fn in_dashboard(properties: &Value, found: &mut BTreeSet<Metric>) {
    let body: Value = serde_json::from_str(&text(&properties["DashboardBody"])).unwrap();
    let widgets = body["widgets"].as_array().unwrap().iter();
    for line in widgets.filter_map(|widget| widget["properties"]["metrics"].as_array()).flatten() {
        let texts: Vec<_> = line.as_array().unwrap().iter().map_while(Value::as_str).collect();
        if let ["foostore/local", name, dimensions @ ..] = &texts[..] {
            let pairs = dimensions.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned()));
            found.insert(Metric::new(&json!(name), pairs));
        }
    }
}

/// Returns every metric that CloudWatch would make of the records, once for each of its sets of dimensions.
fn sent(logs: &Logs) -> BTreeSet<Metric> {
    let mut found = BTreeSet::new();
    for record in logs.records() {
        for metrics in record["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
            for set in metrics["Dimensions"].as_array().unwrap() {
                let names = set.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
                let pairs: Vec<_> = names.map(|name| (name.clone(), text(&record[&name]))).collect();
                for metric in metrics["Metrics"].as_array().unwrap() {
                    found.insert(Metric::new(&metric["Name"], pairs.clone().into_iter()));
                }
            }
        }
    }
    found
}

/// Makes membership meet everything that alarms ring for: a dependency that is misconfigured, a message that is no event, and
/// one for whose reason no dead letter has room.
async fn make_it_fail(world: &World) {
    let denied = json!({"answer": {"code": "OptInRequired", "status": 403, "message": ""}});
    let fault =
        json!({"service": "dynamodb", "operation": "GetItem", "caller": "membership", "error": denied});
    world.fault(&fault).await;
    // More than half of the outcomes that count, since those before succeeded.
    for customer in 1..=40 {
        let event = json!({
            "type": "CustomerEnrolled", "customer_number": format!("48{customer:010}"),
            "data": {
                "name": {"given": "Grace", "family": "Hopper"}, "email": "grace@mail.example",
                "channels": ["email"]
            }
        });
        world.send(&event, &[]).await;
    }
    until("membership to pause", || async { (!world.readiness("membership").await.0).then_some(()) }).await;
    world.clear_faults().await;
    until("membership to receive again", || async { world.readiness("membership").await.0.then_some(()) })
        .await;
    let queue = world.queue_url("membership").await;
    let send = |body: String| {
        let sqs: Client = world.sqs();
        let queue = queue.clone();
        async move { sqs.send_message().queue_url(queue).message_body(body).send().await.unwrap() }
    };
    send("no event".to_owned()).await;
    send("x".repeat(LIMIT - 10)).await;
    until("both to be given up", || async {
        let texts = world.log_files().into_iter().map(|file| std::fs::read_to_string(file).unwrap());
        let log: String = texts.collect();
        let given_up = ["\"outcome\":\"dead-letter\"", "\"message\":\"dead letter refused"];
        given_up.iter().all(|line| log.contains(line)).then_some(())
    })
    .await;
}

/// Puts an item whose time is unreadable into each table that is swept, which parks it.
async fn make_it_park(world: &World) {
    for service in ["rewards", "discounts"] {
        let put = world.dynamodb().put_item().table_name(format!("foostore-local-{service}"));
        let item = [("pk", "BROKEN#1"), ("due_bucket", "00"), ("due_at", "2026")];
        let item = item.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
        put.set_item(Some(item.into())).send().await.unwrap();
    }
    for service in ["rewards", "discounts"] {
        until(&format!("{service} to park"), || async {
            let files = world.log_files().into_iter().map(|file| std::fs::read_to_string(file).unwrap());
            let mut lines = files.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
            let of_service = format!("\"service\":\"{service}\"");
            lines
                .any(|line| line.contains("\"outcome\":\"parked\"") && line.contains(&of_service))
                .then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_alarms_and_dashboards_read_is_sent() {
    let Some((world, collector, _, logs)) = measured("awsemf", &FOR_CLOUDWATCH).await else { return };
    // What no enrolment reaches.
    let gift = json!({
        "discount_id": "SUMMER", "value": {"percentage": 15}, "valid_until": "2099-01-01T00:00:00Z",
    });
    for (service, kind, data) in
        [("rewards", "PointsEarned", json!({"points": 5})), ("discounts", "DiscountGifted", gift)]
    {
        world.send(&event(kind, "470000000000", &data), &[]).await;
        logged(&world, service, kind, "applied", 1).await;
    }
    make_it_park(&world).await;
    let phone = Phone::with_pass(&world, "470000000000", "0a1b").await;
    assert_eq!(phone.register().await, 201);
    make_it_fail(&world).await;
    until("every mail", || async { (world.mails().await.len() > EVENTS as usize).then_some(()) }).await;
    // Both flush when they stop.
    world.stop().await;
    collector.stop().await;

    let read: Vec<_> = read_by_what_is_deployed().into_iter().filter(Metric::is_provoked).collect();
    for name in OF_FAILURES.into_iter().chain(["process.uptime", "ingest.events", "consumer.event.delay"]) {
        assert!(read.iter().any(|metric| metric.name == name), "nothing reads {name}: {read:#?}");
    }
    let sent = sent(&logs);
    let missing: Vec<_> = read.iter().filter(|metric| !sent.contains(metric)).collect();
    assert!(missing.is_empty(), "read, and not sent: {missing:#?}");
}
