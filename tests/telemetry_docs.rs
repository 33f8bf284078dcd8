//! `docs/telemetry.md` is complete and true: its tables contain everything seen in a run, and a run shows everything
//! that they call permanent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aws_sdk_xray::primitives::DateTime;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::architecture::root;
use crate::documents::Documents;
use crate::source;
use crate::wallet::Phone;
use crate::world::{World, files_below, until};

const DOCUMENT: &str = "docs/telemetry.md";
/// The beginning of the column "when" in a row that a run must show.
const ALWAYS: &str = "always";
/// The field of annotations in a document, and so on.
const ANNOTATIONS: &str = "annotations";
const METADATA: &str = "metadata";
/// The prefix of resource attributes in a segment's metadata.
const RESOURCE: &str = "otel.resource.";
/// The SDK's default bounds of histograms, which suit milliseconds
/// (<https://opentelemetry.io/docs/specs/otel/metrics/sdk/#explicit-bucket-histogram-aggregation>).
const DEFAULT_BOUNDS: [f64; 15] = [
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1_000.0, 2_500.0, 5_000.0, 7_500.0,
    10_000.0,
];
/// The fields that X-Ray defines itself (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>).
const XRAYS_OWN: [&str; 15] = [
    "id",
    "trace_id",
    "parent_id",
    "name",
    "type",
    "namespace",
    "origin",
    "start_time",
    "end_time",
    "service",
    "error",
    "fault",
    "throttle",
    "cause",
    "subsegments",
];

/// The fields seen on each document, log line or metric.
type Seen = BTreeMap<String, BTreeSet<String>>;
/// The lists of bounds seen on each histogram.
type Bounds = BTreeMap<String, Vec<Vec<f64>>>;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_there_is() {
    let metrics = MetricsReceiver::start().await;
    let world = World::start_with(&["--metrics-endpoint", &metrics.url], &[]).await;
    everything_that_can_happen(&world).await;
    let (documents, services) = (documents(&world).await, world.services());
    let directory = world.stop_and_keep_logs().await;
    let logs = log_lines(&services, &files_below(directory.path()));
    let (metrics, bounds) = metrics.received();

    let text = std::fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let mut wrong = Vec::new();
    compare_documents(&text, &documents, &mut wrong);
    compare_logs(&text, &logs, &mut wrong);
    compare_metrics(&text, &metrics, &mut wrong);
    compare_bounds(&text, &bounds, &mut wrong);
    assert!(wrong.is_empty(), "{DOCUMENT} and the run differ:\n{}", wrong.join("\n"));
}

/// Log lines that a run rarely shows are looked up in the source.
#[test]
fn every_log_line_in_the_source_is_in_the_document() {
    let text = std::fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let documented: BTreeSet<_> = table(&text, "### Log lines").iter().map(|row| code(&row[0])).collect();
    let mut written = source::log_messages();
    // The consumer writes it through a macro.
    written.insert("event".to_owned());
    let missing: Vec<_> = written.difference(&documented).collect();
    assert!(missing.is_empty(), "not in {DOCUMENT}: {missing:?}");
    let gone: Vec<_> = documented.difference(&written).collect();
    assert!(gone.is_empty(), "in {DOCUMENT}, but nowhere in the source: {gone:?}");
}

/// Produces every event type, a duplicate, a list, refusals, a retry, dead letters, and an old event.
async fn everything_that_can_happen(world: &World) {
    const CUSTOMER: &str = "460000000001";
    let event = |kind: &str, data: Value| json!({"type": kind, "customer_number": CUSTOMER, "data": data});
    let name = json!({"given": "Ada", "family": "Byron"});
    let enrolled = json!({"name": name, "email": "ada@mail.example", "channels": ["email", "app"]});

    let mut first = event("CustomerEnrolled", enrolled);
    first["event_id"] = json!(Uuid::new_v4());
    let fault = json!({"service": "ses", "operation": "SendEmail", "error": "500", "times": 1});
    world.fault(&fault).await;
    // The erasure below reaches the ledger of points, by a sweep.
    let trace = world.send(&event("PointsEarned", json!({"points": 100})), &[]).await;
    until(&format!("the points of {trace}"), || async {
        Documents::get(world, &trace).await?.has_segment("rewards").then_some(())
    })
    .await;
    // It is told of what follows.
    let phone = Phone::with_pass(world, CUSTOMER, "0a1b").await;
    assert_eq!((phone.register().await, phone.report().await), (201, 200));
    assert!(phone.changed("").await.is_some() && phone.fetch(&[]).await.status().is_success());
    for event in [
        first.clone(),
        event("CustomerRenamed", json!({"name": {"given": "Augusta", "family": "Byron"}})),
        event("ContactPreferencesChanged", json!({"locale": "de"})),
        event("CustomerErased", json!({})),
    ] {
        // One after the other, because a customer who is erased, or not enrolled yet, gets no mail.
        let trace = world.send(&event, &[("user-agent", "crm/1.0")]).await;
        until(&format!("the mail of {trace}"), || async {
            Documents::get(world, &trace).await?.find("SES", "SendEmail").map(|_| ())
        })
        .await;
    }
    world.send(&first, &[]).await;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
    let gift = json!({"discount_id": "SOON", "value": {"percentage": 15}, "valid_until": soon});
    let mut gift = event("DiscountGifted", gift);
    gift["customer_number"] = json!("460000000002");
    world.send(&gift, &[]).await;

    let wrong = event("CustomerRenamed", json!({"name": "Ada"}));
    assert_eq!(world.post(&wrong, &[]).await.0, 422);
    let list = json!([event("CustomerRenamed", json!({"name": name})), wrong]);
    assert_eq!(world.post(&list, &[]).await.0, 202);
    assert_eq!(world.post(&json!([]), &[]).await.0, 422);

    let queue = world.queue_url("membership").await;
    let long_ago = "2026-01-01T00:00:00Z";
    let old = json!({
        "source": "foostore.crm", "detail-type": "CustomerRenamed",
        "detail": {
            "metadata": {
                "event_id": Uuid::new_v4(), "occurred_at": long_ago, "published_at": long_ago, "schema_version": 1,
                "correlation_id": Uuid::new_v4(),
                "trace": "Root=1-6955b900-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
            },
            "data": {"customer_number": CUSTOMER, "name": name}
        }
    });
    for body in [old.to_string(), "{\"detail\": 1".to_owned()] {
        world.sqs().send_message().queue_url(&queue).message_body(body).send().await.unwrap();
    }

    // Wait for the last ones expected: the retry and the dead letter.
    until("every outcome in the log", || async {
        let lines = log_lines(&world.services(), &world.log_files());
        let outcomes: BTreeSet<_> =
            lines.iter().filter_map(|line| line["outcome"].as_str().map(str::to_owned)).collect();
        let expected =
            ["accepted", "rejected", "applied", "duplicate", "erased", "notified", "retry", "sent"];
        (expected.iter().all(|outcome| outcomes.contains(*outcome)) && outcomes.contains("dead-letter"))
            .then_some(())
    })
    .await;
    until("a second attempt, the old event and the dead letter in X-Ray", || async {
        let seen = documents(world).await;
        let has = |of: &str, place: &str| seen.get(of).is_some_and(|places| places.contains(place));
        let there = has("email", "annotations.attempt") && has("membership", "annotations.origin_trace_id");
        let there = there && has("sweep of rewards", "annotations.outcome");
        (there && seen.contains_key("SQS.SendMessage")).then_some(())
    })
    .await;
}

/// Returns the fields set in every document of every trace, by the kind of document.
async fn documents(world: &World) -> Seen {
    let mut pages = world
        .xray()
        .get_trace_summaries()
        .start_time(DateTime::from_secs(0))
        .end_time(DateTime::from_secs(4_000_000_000))
        .into_paginator()
        .send();
    let mut seen = Seen::new();
    while let Some(page) = pages.next().await {
        for summary in page.unwrap().trace_summaries() {
            let Some(trace) = Documents::get(world, summary.id().unwrap()).await else { continue };
            for document in trace.all() {
                let name = document["name"].as_str().unwrap();
                let of = match document["namespace"].as_str() {
                    Some("aws") => {
                        format!("{name}.{}", document["aws"]["operation"].as_str().unwrap_or_default())
                    }
                    // A service may have segments of both.
                    _ if document["metadata"]["default"].get("due.lateness_ms").is_some() => {
                        format!("sweep of {name}")
                    }
                    _ if name == "wallet" && document["metadata"]["default"].get("http.route").is_some() => {
                        format!("request to {name}")
                    }
                    _ => name.to_owned(),
                };
                seen.entry(of).or_default().extend(places(document));
            }
        }
    }
    seen
}

/// Returns the fields set in a document, except for those that X-Ray defines itself.
fn places(document: &Value) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    for (field, value) in document.as_object().unwrap() {
        match field.as_str() {
            own if XRAYS_OWN.contains(&own) => {}
            METADATA => {
                for (namespace, values) in value.as_object().unwrap() {
                    assert_eq!(namespace, "default", "metadata in another namespace");
                    places.extend(values.as_object().unwrap().keys().map(|key| {
                        match key.strip_prefix(RESOURCE) {
                            Some(key) => format!("resource.{key}"),
                            None => format!("{METADATA}.{key}"),
                        }
                    }));
                }
            }
            ANNOTATIONS | "aws" => {
                places.extend(value.as_object().unwrap().keys().map(|key| format!("{field}.{key}")));
            }
            "http" => {
                for (part, values) in value.as_object().unwrap() {
                    places.extend(values.as_object().unwrap().keys().map(|key| format!("http.{part}.{key}")));
                }
            }
            other => {
                places.insert(other.to_owned());
            }
        }
    }
    // Names the SDK; set by the exporter.
    places.remove("aws.xray");
    // The exporter always writes it, without a value.
    places.remove("http.response.content_length");
    places
}

fn compare_documents(text: &str, seen: &Seen, wrong: &mut Vec<String>) {
    let spans = table(text, "## Spans");
    let mut known = BTreeSet::new();
    for row in &spans {
        let (heading, when) = (code(&row[4]), row[3].as_str());
        for document in codes(&row[2]) {
            if when.starts_with(ALWAYS) && !seen.contains_key(&document) {
                wrong.push(format!("span {document} is documented and was not seen"));
            }
            known.insert((document, heading.clone()));
        }
    }
    for document in seen.keys() {
        if !known.iter().any(|(name, _)| name == document) {
            wrong.push(format!("span {document} is not documented"));
        }
    }

    let resource = rows_by_place(text, "### Resource");
    let mut of_resource = BTreeSet::new();
    for heading in known.iter().map(|(_, heading)| heading.clone()).collect::<BTreeSet<_>>() {
        let mut all = BTreeSet::new();
        for (document, _) in known.iter().filter(|(_, other)| *other == heading) {
            all.extend(seen.get(document).cloned().unwrap_or_default());
        }
        let (resources, own): (BTreeSet<_>, BTreeSet<_>) =
            all.into_iter().partition(|place| place.starts_with("resource."));
        of_resource.extend(resources);
        compare(&heading, &rows_by_place(text, &format!("### {heading}")), &own, wrong);
    }
    compare("Resource", &resource, &of_resource, wrong);
}

fn compare_logs(text: &str, lines: &[Value], wrong: &mut Vec<String>) {
    let common: BTreeSet<_> =
        table(text, "### Fields of every line").iter().map(|row| code(&row[0])).collect();
    let rows = table(text, "### Log lines");
    let mut shown = vec![(false, BTreeSet::new()); rows.len()];
    for line in lines {
        let (service, message) = (line["service"].as_str().unwrap(), line["message"].as_str().unwrap());
        let found = rows.iter().position(|row| {
            let who = codes(&row[1]);
            code(&row[0]) == message && (who.is_empty() || who.iter().any(|name| name == service))
        });
        let Some(found) = found else {
            wrong.push(format!("log line of {service} is not documented: {line}"));
            continue;
        };
        let fields: BTreeSet<String> =
            line.as_object().unwrap().keys().filter(|field| !common.contains(*field)).cloned().collect();
        let (always, sometimes) = (codes(&rows[found][2]), codes(&rows[found][3]));
        for field in &fields {
            if !always.contains(field) && !sometimes.contains(field) {
                wrong.push(format!("field {field} of log line {message} of {service} is not documented"));
            }
        }
        for field in always.iter().filter(|field| !fields.contains(*field)) {
            wrong.push(format!("field {field} is not on each log line {message} of {service}: {line}"));
        }
        shown[found].0 = true;
        shown[found].1.extend(fields);
    }
    for (row, (seen, fields)) in rows.iter().zip(&shown).filter(|(row, _)| row[4].starts_with(ALWAYS)) {
        if !seen {
            wrong.push(format!("log line {} ({}) is documented and was not seen", row[0], row[1]));
        }
        for field in codes(&row[3]).iter().filter(|field| !fields.contains(*field)) {
            wrong.push(format!("field {field} of log line {} ({}) was never seen", row[0], row[1]));
        }
    }
    for field in &common {
        if !lines.iter().any(|line| line.get(field).is_some()) {
            wrong.push(format!("field {field} is on no log line"));
        }
    }
}

fn compare_metrics(text: &str, seen: &Seen, wrong: &mut Vec<String>) {
    let mut known = BTreeSet::new();
    for row in table(text, "## Metrics") {
        let metric = format!("{} {} {}", code(&row[0]), row[1], row[2].replace('`', ""));
        let (always, sometimes) = (codes(&row[3]), codes(&row[4]));
        match seen.get(&metric) {
            None if row[5].starts_with(ALWAYS) => {
                wrong.push(format!("metric {metric} is documented and was not seen"));
            }
            None => {}
            Some(attributes) => {
                for attribute in attributes {
                    if !always.contains(attribute) && !sometimes.contains(attribute) {
                        wrong.push(format!("attribute {attribute} of metric {metric} is not documented"));
                    }
                }
                for attribute in always.iter().filter(|attribute| !attributes.contains(*attribute)) {
                    wrong.push(format!("attribute {attribute} of metric {metric} was not seen"));
                }
            }
        }
        known.insert(metric);
    }
    for (metric, attributes) in seen.iter().filter(|(metric, _)| !known.contains(*metric)) {
        wrong.push(format!("metric {metric} with {attributes:?} is not documented"));
    }
}

/// Checks that every histogram has the documented bounds, and that none in seconds has the SDK's default ones.
fn compare_bounds(text: &str, seen: &Bounds, wrong: &mut Vec<String>) {
    let mut documented = BTreeMap::new();
    for row in table(text, "### Histogram bounds") {
        let bounds: Vec<f64> = row[1].split(", ").map(|bound| bound.parse().unwrap()).collect();
        documented.extend(codes(&row[0]).into_iter().map(|metric| (metric, bounds.clone())));
    }
    for row in table(text, "## Metrics").iter().filter(|row| row[1] == "histogram") {
        let (metric, unit) = (code(&row[0]), code(&row[2]));
        let Some(bounds) = seen.get(&metric) else { continue };
        if unit == "s" && bounds.iter().any(|bounds| *bounds == DEFAULT_BOUNDS) {
            wrong.push(format!("{metric} measures seconds in buckets made for milliseconds"));
        }
        if bounds.iter().any(|bounds| Some(bounds) != documented.get(&metric)) {
            let documented = documented.get(&metric);
            wrong.push(format!("{metric} has the bounds {bounds:?}, documented are {documented:?}"));
        }
    }
    for metric in documented.keys().filter(|metric| !seen.contains_key(*metric)) {
        wrong.push(format!("bounds of {metric} are documented and were not seen"));
    }
}

/// Compares the fields seen in documents of one kind with its rows: the field, and whether it is always present.
fn compare(of: &str, rows: &[(String, bool)], seen: &BTreeSet<String>, wrong: &mut Vec<String>) {
    for place in seen.iter().filter(|place| !rows.iter().any(|(known, _)| known == *place)) {
        wrong.push(format!("{of}: {place} is not documented"));
    }
    for (place, always) in rows {
        if *always && !seen.contains(place) {
            wrong.push(format!("{of}: {place} is documented and was not seen"));
        }
    }
}

/// Reads a table of attributes: the fields in X-Ray (`–` for none), and whether they are always present.
fn rows_by_place(text: &str, heading: &str) -> Vec<(String, bool)> {
    let rows = table(text, heading);
    rows.iter()
        .flat_map(|row| codes(&row[1]).into_iter().map(|place| (place, row[2].starts_with(ALWAYS))))
        .collect()
}

/// Returns the rows of the first table under a heading, cell by cell.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let mut lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let rows: Vec<Vec<String>> = lines
        .by_ref()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|').split('|').map(|cell| cell.trim().replace("&#124;", "|")).collect()
        })
        .collect();
    assert!(rows.len() > 2, "no table under {heading} in {DOCUMENT}");
    rows[2..].to_vec()
}

/// Returns all code spans in a cell.
fn codes(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the first code span in a cell.
fn code(cell: &str) -> String {
    codes(cell).into_iter().next().unwrap_or_else(|| panic!("no code in the cell {cell:?}"))
}

/// Returns the log lines of the services, without those of libraries.
fn log_lines(services: &[String], files: &[PathBuf]) -> Vec<Value> {
    let of_service = |file: &&PathBuf| {
        let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap();
        services.iter().any(|service| service == name)
    };
    let mut lines = Vec::new();
    for file in files.iter().filter(of_service) {
        let text = std::fs::read_to_string(file).unwrap();
        // The last line may be incomplete.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let all = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        // Only the hop line has no target.
        let ours = |line: &Value| line["target"].as_str().map_or(line["message"] == "event", is_ours);
        lines.extend(all.filter(ours));
    }
    lines
}

/// Whether a line was written by a crate of this workspace rather than by a library.
fn is_ours(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default().replace('_', "-");
    ["crates", "services"].iter().any(|folder| root().join(folder).join(&name).is_dir())
}

/// Receives metrics over OTLP/HTTP.
struct MetricsReceiver {
    url: String,
    seen: Arc<Mutex<(Seen, Bounds)>>,
}

impl MetricsReceiver {
    async fn start() -> Self {
        let seen = Arc::<Mutex<(Seen, Bounds)>>::default();
        let app = Router::new().route("/v1/metrics", post(take)).with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/metrics", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen }
    }

    fn received(&self) -> (Seen, Bounds) {
        self.seen.lock().unwrap().clone()
    }
}

async fn take(State(seen): State<Arc<Mutex<(Seen, Bounds)>>>, body: Bytes) {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    for metric in scopes.flat_map(|scope| scope.metrics) {
        let (kind, attributes): (_, Vec<_>) = match metric.data.unwrap() {
            Data::Gauge(gauge) => {
                ("gauge", gauge.data_points.into_iter().map(|point| point.attributes).collect())
            }
            Data::Sum(sum) => (
                if sum.is_monotonic { "counter" } else { "up-down counter" },
                sum.data_points.into_iter().map(|point| point.attributes).collect(),
            ),
            Data::Histogram(histogram) => {
                let mut seen = seen.lock().unwrap();
                let known = seen.1.entry(metric.name.clone()).or_default();
                for point in &histogram.data_points {
                    if !known.contains(&point.explicit_bounds) {
                        known.push(point.explicit_bounds.clone());
                    }
                }
                ("histogram", histogram.data_points.into_iter().map(|point| point.attributes).collect())
            }
            other => panic!("metric {} is of an unexpected kind: {other:?}", metric.name),
        };
        let unit = if metric.unit.is_empty() { "–".to_owned() } else { metric.unit };
        let keys = attributes.into_iter().flatten().map(|attribute| attribute.key);
        seen.lock().unwrap().0.entry(format!("{} {kind} {unit}", metric.name)).or_default().extend(keys);
    }
}
