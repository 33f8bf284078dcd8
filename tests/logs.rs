//! `foostore logs`: log lines by what they have, as they are written, and from CloudWatch Logs.

use std::collections::{BTreeSet, VecDeque};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::mails::{enrolled, quiet};
use crate::world::{PATIENCE, World, files_below, until};

const CUSTOMER: &str = "430000000001";

fn foostore() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foostore"));
    command.arg("logs").env_remove("AWS_ENDPOINT_URL").stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn records(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_found_by_what_they_have_and_followed_until_the_run_ends() {
    let world = World::start().await;
    let runs = std::path::Path::new(&world.log_dir).parent().unwrap().to_owned();
    let logs = |arguments: &[&str]| {
        let mut command = foostore();
        command.args(arguments).arg("--log-dir").arg(&runs);
        command
    };
    let follow = |arguments: &[&str]| logs(arguments).arg("--follow").stdout(Stdio::piped()).spawn().unwrap();
    let mut following = follow(&["--outcome", "sent", "--service", "email", "--json"]);
    let mut sent = BufReader::new(following.stdout.take().unwrap()).lines();

    let event = json!({
        "type": "CustomerEnrolled", "customer_number": CUSTOMER,
        "data": {"name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@mail.example", "channels": ["email"]}
    });
    let trace = world.send(&event, &[]).await;
    let line = tokio::time::timeout(PATIENCE, sent.next_line()).await.unwrap().unwrap().unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["outcome"], &line["trace_id"]), (&json!("sent"), &json!(trace)), "{line}");

    let (code, all, error) = output(&mut logs(&[CUSTOMER, "--json", "--since", "15m"])).await;
    assert_eq!(code, Some(0), "{error}");
    assert!(records(&all).iter().all(|record| record["customer_number"] == CUSTOMER), "{all}");
    let (_, one, _) = output(&mut logs(&[CUSTOMER, "--json", "--service", "notifier"])).await;
    assert!(records(&one).iter().all(|record| record["service"] == "notifier"), "{one}");
    assert!(!one.is_empty() && one.len() < all.len(), "{one}");
    let (code, _, error) = output(&mut logs(&["--reason", "malformed-event"])).await;
    assert!(code == Some(1) && error.contains("no line in"), "{error}");
    let (code, _, error) = output(&mut logs(&[])).await;
    assert_eq!(code, Some(64), "{error}");

    let _directory = world.stop_and_keep_logs().await;
    let rest = tokio::time::timeout(PATIENCE, sent.next_line()).await.unwrap().unwrap();
    assert_eq!(rest, None);
    assert!(following.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn hop_lines_of_sampled_traces_alone_are_complete_and_leave_out_no_failure() {
    let world = World::start_with(&[], &[("HOP_LINES", "sampled")]).await;
    let header = |trace: u8, sampled: u8| format!("Root=1-5759e988-{trace:024};Sampled={sampled}");
    for (trace, sampled, customer) in [(1, 0, "430000000011"), (2, 1, "430000000012")] {
        let enrolled = enrolled(customer, "Ada", &format!("{customer}@mail.example"));
        world.send(&enrolled, &[("x-amzn-trace-id", &header(trace, sampled))]).await;
    }
    let unknown = json!({"type": "CustomerVanished", "customer_number": "430000000013", "data": {}});
    let (status, _) = world.post(&unknown, &[("x-amzn-trace-id", &header(3, 0))]).await;
    assert_eq!(status, 422);
    until("both mails", || async { (world.mails().await.len() == 2).then_some(()) }).await;
    quiet(&world).await;

    let directory = world.stop_and_keep_logs().await;
    let files = files_below(directory.path()).into_iter();
    let logs: String = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let hops_of = |trace: u8| {
        let id = format!("1-5759e988-{trace:024}");
        let lines = records(&logs).into_iter();
        let lines = lines.filter(|line| line["trace_id"] == id && line["message"] == "event");
        lines.map(|line| line["service"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(hops_of(1), BTreeSet::new());
    let all = ["app", "archive", "email", "ingest", "membership", "notifier", "wallet"];
    assert_eq!(hops_of(2), all.map(str::to_owned).into());
    assert_eq!(hops_of(3), BTreeSet::from(["ingest".to_owned()]));
}

/// A CloudWatch Logs that answers as its script says, and keeps the requests.
#[derive(Clone, Default)]
struct Scripted {
    requests: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
}

impl Scripted {
    async fn start(answers: impl IntoIterator<Item = (u16, Value)>) -> (Self, String) {
        let scripted =
            Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(Self::answer)).with_state(scripted.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (scripted, url)
    }

    async fn answer(State(scripted): State<Self>, request: Request) -> Response {
        let headers = request.headers().clone();
        let body = axum::body::to_bytes(request.into_body(), 64 * 1024).await.unwrap();
        let target = headers["x-amz-target"].to_str().unwrap().to_owned();
        let input = serde_json::from_slice(&body).unwrap();
        scripted.requests.lock().unwrap().push((target, headers, input));
        let (status, answer) = scripted.answers.lock().unwrap().pop_front().expect("one request too many");
        let content_type = [("content-type", "application/x-amz-json-1.1")];
        (StatusCode::from_u16(status).unwrap(), content_type, answer.to_string()).into_response()
    }
}

/// `foostore logs --aws` at another endpoint.
fn on_aws(url: &str, arguments: &[&str]) -> Command {
    let mut command = foostore();
    command
        .args(["--aws", "--environment", "prod", "--json"])
        .args(arguments)
        .env("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", url)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "eu-west-1");
    command
}

fn row(record: &Value) -> Value {
    json!([
        {"field": "@timestamp", "value": "2026-11-26 15:00:00.000"},
        {"field": "@message", "value": record.to_string()},
        {"field": "@ptr", "value": "CmEKJgoi"},
    ])
}

#[tokio::test]
async fn the_same_words_ask_cloudwatch_logs() {
    const EVENT: &str = "0190b7c4-3c6e-4a50-8d2c-6a9f6a1b2c3d";
    const TRACE: &str = "1-5759e988-bd862e3fe1be46a994272793";
    let now = jiff::Timestamp::now();
    let line = |service: &str, fields: Value| {
        let mut record = json!({"timestamp": now.to_string(), "service": service, "trace_id": TRACE});
        record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        record
    };
    let hop = line("membership", json!({"message": "event", "event_id": EVENT, "outcome": "applied"}));
    let beside = line("membership", json!({"message": "slow answer", "level": "WARN"}));
    let (aws, url) = Scripted::start([
        (200, json!({"queryId": "q-1"})),
        (200, json!({"status": "Running", "results": [], "statistics": {}})),
        (200, json!({"status": "Complete", "results": [row(&hop)]})),
        (200, json!({"queryId": "q-2"})),
        (200, json!({"status": "Complete", "results": [row(&beside), row(&line("x", json!({"a": 1})))]})),
    ])
    .await;
    let (code, lines, error) = output(&mut on_aws(&url, &[EVENT, "--since", "15m"])).await;
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(records(&lines), [hop, beside]);

    let requests = aws.requests.lock().unwrap();
    let operations: Vec<&str> = requests.iter().map(|(target, ..)| target.as_str()).collect();
    let (start, get) = ("Logs_20140328.StartQuery", "Logs_20140328.GetQueryResults");
    assert_eq!(operations, [start, get, get, start, get]);
    let (_, headers, query) = &requests[0];
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(authorization.contains("AKIDEXAMPLE/") && authorization.contains("/eu-west-1/logs/aws4_request"));
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    let groups = query["logGroupNames"].as_array().unwrap();
    assert!(groups.contains(&json!("/foostore/prod/services/membership")), "{query}");
    let began = query["startTime"].as_i64().unwrap();
    assert!((0..60).contains(&(began - (now.as_second() - 900))), "{query}");
    assert!(query["endTime"].as_i64().unwrap() > now.as_second(), "{query}");
    let text = query["queryString"].as_str().unwrap();
    assert!(text.contains(&format!("filter (event_id = \"{EVENT}\" or ")), "{text}");
    assert_eq!(requests[1].2, json!({"queryId": "q-1"}));
    let text = requests[3].2["queryString"].as_str().unwrap();
    assert!(text.contains(&format!("trace_id in [\"{TRACE}\"] and not ispresent(event_id)")), "{text}");
}

#[tokio::test]
async fn filters_make_the_query_smaller() {
    let hop = json!({"timestamp": jiff::Timestamp::now().to_string(), "message": "event", "service": "email",
                     "outcome": "dead-letter", "reason": "malformed-event"});
    let (aws, url) = Scripted::start([
        (200, json!({"queryId": "q-1"})),
        (200, json!({"status": "Complete", "results": [row(&hop)]})),
    ])
    .await;
    let arguments = ["--service", "email", "--outcome", "dead-letter", "--reason", "malformed-event"];
    let (code, lines, error) = output(&mut on_aws(&url, &arguments)).await;
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(records(&lines), [hop]);
    let query = aws.requests.lock().unwrap()[0].2.clone();
    assert_eq!(query["logGroupNames"], json!(["/foostore/prod/services/email"]));
    let text = query["queryString"].as_str().unwrap();
    assert!(
        text.contains("filter outcome in [\"dead-letter\"] and reason in [\"malformed-event\"]"),
        "{text}"
    );
}

#[tokio::test]
async fn what_cloudwatch_logs_refuses_is_named() {
    let missing = json!({"__type": "ResourceNotFoundException",
                         "message": "Log group '/foostore/prod/services/email' does not exist"});
    let (_, url) = Scripted::start([(400, missing)]).await;
    let (code, _, error) = output(&mut on_aws(&url, &[CUSTOMER])).await;
    assert_eq!(code, Some(69));
    assert!(error.contains("refused StartQuery: ResourceNotFoundException: Log group"), "{error}");

    let (_, url) =
        Scripted::start([(200, json!({"queryId": "q-1"})), (200, json!({"status": "Failed"}))]).await;
    let (code, _, error) = output(&mut on_aws(&url, &[CUSTOMER])).await;
    assert!(code == Some(69) && error.contains("Failed"), "{error}");

    let (code, _, error) = output(foostore().args(["--aws", CUSTOMER])).await;
    assert!(code == Some(64) && error.contains("--environment"), "{error}");
}
