//! What the local X-Ray takes for many segments: to put them, in memory, on disk, and to find traces among them.
//!
//! The argument is the number of segments, ten in each trace. They are put over HTTP, 50 in a request, from four connections of
//! the same process, so that its processor time and memory are those of both sides. The results are lines of the standard error.

mod documents;

use std::error::Error;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use benchmarks::{DONE, Latencies, WARM, report};
use futures_util::StreamExt as _;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use xray_engine::{Engine, Settings, TraceStore};

use crate::documents::{SEGMENTS_A_TRACE, documents};

const TRACES_A_REQUEST: u64 = 5;
const CONNECTIONS: usize = 4;
/// How often each query is repeated.
const REPETITIONS: usize = 5;

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
async fn main() -> ExitCode {
    match measure().await {
        Ok(()) => {
            report(DONE);
            std::future::pending().await
        }
        Err(error) => {
            report(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let segments: u64 = arguments.next().ok_or("no number of segments")?.parse()?;
    let histogram = arguments.next().ok_or("no file for the histogram")?;
    let traces = segments / SEGMENTS_A_TRACE;
    let directory = tempfile::tempdir()?;
    let engine = Engine::with_store(Settings::default(), TraceStore::open(directory.path(), u64::MAX)?)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, engine.api_endpoint()).await });
    report(WARM);

    let client = Client::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let began = Instant::now();
    let latencies = put(&client, &endpoint, traces, now - 3600.0).await?;
    let took = began.elapsed().as_secs_f64();
    latencies.write(Path::new(&histogram), "from a PutTraceSegments of 50 segments to its answer")?;
    let on_disk = bytes(directory.path())?;
    report(&json!({"segments": segments, "took_s": took, "disk_bytes": on_disk}).to_string());
    // The parent reads processor time and memory now, and answers when it has.
    std::io::stdin().read_line(&mut String::new())?;

    for (what, filter) in [("warm up", "")].into_iter().chain(QUERIES) {
        let (mut found, mut more, mut took) = (0, false, Vec::new());
        for _ in 0..REPETITIONS {
            let body = json!({"StartTime": now - 7200.0, "EndTime": now + 60.0, "FilterExpression": filter.to_owned()});
            let began = Instant::now();
            let answer = post(&client, format!("{endpoint}/TraceSummaries"), body).await?;
            took.push(began.elapsed().as_secs_f64());
            found = answer["TraceSummaries"].as_array().map_or(0, Vec::len);
            more = answer["NextToken"].is_string();
        }
        report(
            &json!({"what": what, "filter": filter, "found": found, "more": more, "took_s": took})
                .to_string(),
        );
    }
    server.abort();
    Ok(())
}

/// Puts the segments of `traces`, and returns how long each request took.
async fn put(client: &Client, endpoint: &str, traces: u64, base: f64) -> Result<Latencies, Box<dyn Error>> {
    let mut latencies = Latencies::begin();
    // The documents of the traces of a request arrive together, and those of others between them.
    let requests = (0..traces).step_by(usize::try_from(TRACES_A_REQUEST)?).map(|first| {
        let documents: Vec<_> = (first..traces.min(first + TRACES_A_REQUEST))
            .flat_map(|trace| documents(trace, base))
            .map(|document| document.to_string())
            .collect();
        async move {
            let began = Instant::now();
            let body = json!({"TraceSegmentDocuments": documents});
            let answer = post(client, format!("{endpoint}/TraceSegments"), body).await?;
            Ok::<_, Box<dyn Error>>((answer, began.elapsed()))
        }
    });
    let mut answers = futures_util::stream::iter(requests).buffer_unordered(CONNECTIONS);
    while let Some(answer) = answers.next().await {
        let (answer, took) = answer?;
        let refused = &answer["UnprocessedTraceSegments"];
        if refused.as_array().is_none_or(|refused| !refused.is_empty()) {
            return Err(format!("refused: {refused}").into());
        }
        latencies.add(took);
    }
    Ok(latencies)
}

async fn post(client: &Client, url: String, body: Value) -> Result<Value, Box<dyn Error>> {
    let response = client.post(url).body(body.to_string()).send().await?.error_for_status()?;
    Ok(serde_json::from_slice(&response.bytes().await?)?)
}

fn bytes(directory: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(directory)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
