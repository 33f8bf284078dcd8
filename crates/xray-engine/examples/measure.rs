//! Measures the engine: segments put, memory, disk and queries.
//!
//! ```console
//! $ cargo run --release -p xray-engine --example measure -- 1000000
//! ```
//!
//! The argument is the number of segments, ten in each trace. They are put over HTTP, 50 in a request, from four connections
//! of the same process, so that the processor's time and the memory are those of both sides.

use std::error::Error;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use xray_engine::{Engine, Settings, TraceStore};

const SEGMENTS_A_TRACE: u64 = 10;
const TRACES_A_REQUEST: u64 = 5;
const CONNECTIONS: usize = 4;

/// Expressions, and what of the index they can use.
const QUERIES: [(&str, &str); 12] = [
    ("one annotation", r#"annotation.event_id = "event-77""#),
    ("one user", r#"user = "customer-77""#),
    ("a string that is nowhere", r#"service("nowhere")"#),
    ("a mark", "service() { throttle }"),
    ("a mark and a service", r#"service("email") { fault }"#),
    ("a long duration", "duration > 100"),
    ("any", ""),
    ("part of a string, nowhere", r#"http.url CONTAINS "nowhere""#),
    ("a number of one service, nowhere", r#"service("email") { responsetime > 100 }"#),
    ("an annotation of a number, nowhere", "annotation.attempt > 5"),
    ("a call, nowhere", r#"edge("membership", "members") { responsetime > 100 }"#),
    (
        "a root cause, nowhere",
        r#"rootcause.responsetime.entity { coverage > 0.9 AND name CONTAINS "nowhere" }"#,
    ),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let segments: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |number| number.parse())?;
    let traces = segments / SEGMENTS_A_TRACE;
    let directory = tempfile::tempdir()?;
    let engine = Engine::with_store(Settings::default(), TraceStore::open(directory.path(), u64::MAX)?)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, engine.api_endpoint()).await });
    let mut out = std::io::stdout();

    let client = Client::new();
    let began = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    // The documents of the traces of a request arrive together, and those of others between them.
    let requests = (0..traces).step_by(usize::try_from(TRACES_A_REQUEST)?).map(|first| {
        let documents: Vec<_> = (first..traces.min(first + TRACES_A_REQUEST))
            .flat_map(|trace| documents(trace, now - 3600.0))
            .map(|document| document.to_string())
            .collect();
        post(&client, format!("{endpoint}/TraceSegments"), json!({"TraceSegmentDocuments": documents}))
    });
    let mut answers = futures_util::stream::iter(requests).buffer_unordered(CONNECTIONS);
    while let Some(answer) = answers.next().await {
        let refused = &answer?["UnprocessedTraceSegments"];
        if refused.as_array().is_none_or(|refused| !refused.is_empty()) {
            return Err(format!("refused: {refused}").into());
        }
    }
    let took = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a number to be read")]
    let rate = segments as f64 / took;
    writeln!(out, "put {segments} segments of {traces} traces in {took:.1} s: {rate:.0}/s")?;
    for (name, value) in status("VmRSS:").into_iter().chain(status("VmHWM:")) {
        writeln!(out, "{name} {value}")?;
    }
    writeln!(out, "on disk {} MB", bytes(directory.path())? / 1_000_000)?;

    for (what, filter) in [("warm up", "")].into_iter().chain(QUERIES) {
        let body =
            json!({"StartTime": now - 7200.0, "EndTime": now + 60.0, "FilterExpression": filter.to_owned()});
        let began = Instant::now();
        let answer = post(&client, format!("{endpoint}/TraceSummaries"), body).await?;
        let took = began.elapsed().as_secs_f64() * 1e3;
        let found = answer["TraceSummaries"].as_array().map_or(0, Vec::len);
        let more = if answer["NextToken"].is_string() { " and more" } else { "" };
        writeln!(out, "{took:8.1} ms  {what}: {filter}  {found} found{more}")?;
    }
    if let Some((name, value)) = status("VmHWM:") {
        writeln!(out, "{name} {value}")?;
    }
    server.abort();
    Ok(())
}

/// Returns the documents of a trace: a request, and what three services did about it.
fn documents(trace: u64, base: f64) -> Vec<Value> {
    #[expect(clippy::cast_precision_loss, reason = "an hour has few milliseconds")]
    let start = base + (trace % 3_600_000) as f64 / 1e3;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "epoch seconds are small")]
    let trace_id = format!("1-{:08x}-{trace:024x}", start as u64);
    let segment = |place: u64, parent: u64, name: &str, offset: f64| {
        let mut segment = json!({
            "trace_id": trace_id, "id": format!("{:016x}", trace * 16 + place), "name": name,
            "start_time": start + offset, "end_time": start + offset + 0.015, "origin": "AWS::ECS::Fargate",
            "annotations": {
                "event_id": format!("event-{trace}"), "event_type": "CustomerRenamed", "attempt": 1,
                "customer_number": format!("customer-{}", trace % 50_000)
            },
            "aws": {"account_id": "123456789012"}
        });
        if parent > 0 {
            segment["parent_id"] = json!(format!("{:016x}", trace * 16 + parent));
        }
        segment
    };
    let call = |place: u64, parent: u64, name: &str, offset: f64, aws: Value| {
        json!({
            "trace_id": trace_id, "id": format!("{:016x}", trace * 16 + place), "name": name, "type": "subsegment",
            "parent_id": format!("{:016x}", trace * 16 + parent), "namespace": "aws",
            "start_time": start + offset, "end_time": start + offset + 0.005, "aws": aws
        })
    };
    let mut root = segment(1, 0, "ingest", 0.0);
    root["http"] = json!({
        "request": {"method": "POST", "url": "https://events.example/v1/events", "client_ip": "192.0.2.1"},
        "response": {"status": 202}
    });
    root["user"] = json!(format!("customer-{}", trace % 50_000));
    let mut email = segment(9, 8, "email", 0.080);
    email["fault"] = json!(trace.is_multiple_of(1_000));
    vec![
        root,
        call(2, 1, "EventBridge", 0.005, json!({"operation": "PutEvents"})),
        segment(3, 2, "membership", 0.020),
        call(4, 3, "DynamoDB", 0.022, json!({"operation": "GetItem", "table_name": "members"})),
        call(5, 3, "DynamoDB", 0.028, json!({"operation": "TransactWriteItems", "table_name": "members"})),
        call(6, 3, "EventBridge", 0.030, json!({"operation": "PutEvents"})),
        segment(7, 6, "notifier", 0.050),
        call(8, 7, "SNS", 0.055, json!({"operation": "Publish"})),
        email,
        call(10, 9, "SES", 0.085, json!({"operation": "SendEmail"})),
    ]
}

async fn post(client: &Client, url: String, body: Value) -> Result<Value, Box<dyn Error>> {
    let response = client.post(url).body(body.to_string()).send().await?.error_for_status()?;
    Ok(serde_json::from_slice(&response.bytes().await?)?)
}

/// Returns a line of what Linux knows of this process.
fn status(name: &str) -> Option<(String, String)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some((name.to_owned(), line.trim().to_owned()))
}

fn bytes(directory: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(directory)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
