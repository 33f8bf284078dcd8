//! What commands print as JSON has the form that `docs/schemas/` describes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::architecture::root;
use crate::world::{PATIENCE, World, until};

/// Asserts that each document is valid and returns them.
pub(crate) fn checked(schema: &str, output: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(root().join(format!("docs/schemas/{schema}.json"))).unwrap();
    let schema = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let documents: Vec<Value> =
        output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    for document in &documents {
        let errors: Vec<String> = validator
            .iter_errors(document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?}\n{document}");
    }
    documents
}

async fn foostore(runs: &Path, arguments: &[&str]) -> String {
    let command = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(arguments)
        .current_dir(runs)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, command).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(output.stderr));
    text(output.stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_commands_print_for_programs_is_what_the_schemas_describe() {
    let world = World::start().await;
    let runs = Path::new(&world.log_dir).parent().unwrap().to_owned();
    let fault = json!({"service": "ses", "operation": "SendEmail", "error": "throttle", "times": 1});
    world.fault(&fault).await;
    let event = json!({
        "type": "CustomerEnrolled", "customer_number": "450000000001",
        "data": {"name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@mail.example", "channels": ["email"]}
    });
    let trace = world.send(&event, &[]).await;
    let arguments = ["trace", &trace, "--json", "--wait", "60", "--endpoint-url", &world.xray_endpoint];
    let traces = checked("trace", &foostore(&runs, &arguments).await);
    assert_eq!(traces.len(), 1);
    assert!(traces[0]["segments"].as_array().unwrap().len() > 10, "{}", traces[0]);

    let filter = "annotation.customer_number = \"450000000001\" service(\"email\") { annotation.event_type }";
    let found = ["traces", "--json", "--filter", filter, "--endpoint-url", &world.xray_endpoint];
    let summaries = checked("traces", &foostore(&runs, &found).await);
    assert!(summaries.iter().any(|summary| summary["trace_id"] == *trace), "{summaries:?}");

    let map =
        checked("map", &foostore(&runs, &["map", "--json", "--endpoint-url", &world.xray_endpoint]).await);
    assert!(map[0]["edges"].as_array().unwrap().iter().any(|edge| edge["message"] == true), "{map:?}");
    let latency = ["latency", "--compare", "--json", "--endpoint-url", &world.xray_endpoint];
    let latency = checked("latency", &foostore(&runs, &latency).await);
    assert!(latency[0]["comparison"]["sides"].is_array(), "{latency:?}");
    let rules = ["sampling", "rules", "--json", "--endpoint-url", &world.xray_endpoint];
    assert!(!checked("sampling", &foostore(&runs, &rules).await).is_empty());

    let lines = checked("logs", &foostore(&runs, &["logs", &trace, "--json", "--log-dir", "."]).await);
    assert!(lines.iter().filter(|line| line["message"] == "event").count() >= 4, "{lines:?}");
    let all = foostore(&runs, &["logs", "--since", "1h", "--json", "--log-dir", "."]).await;
    assert!(checked("logs", &all).len() > lines.len());

    // It exits with 1, since the customer is not erased.
    let erased = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(["erased", "--json", "--endpoint-url", &world.endpoint, "450000000001"])
        .output();
    let places = checked("erased", &String::from_utf8(erased.await.unwrap().stdout).unwrap());
    assert!(places.iter().any(|place| place["until"].is_null()), "{places:?}");
    assert!(places.iter().any(|place| place["until"].is_string()), "{places:?}");

    let shown = until("metrics of every service", || async {
        let arguments = ["metrics", "--json", "--endpoint-url", &world.xray_endpoint];
        let shown = checked("metrics", &foostore(&runs, &arguments).await).remove(0);
        (shown["services"].as_array().unwrap().len() == world.services().len()).then_some(shown)
    })
    .await;
    let kinds: BTreeSet<_> = shown["services"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|service| service["metrics"].as_array().unwrap())
        .map(|metric| metric["kind"].as_str().unwrap())
        .collect();
    assert!(["counter", "gauge", "histogram"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");

    let instances = checked("ps", &foostore(&runs, &["ps", "--json", "--log-dir", "."]).await);
    let services = instances[0][0]["services"].as_array().unwrap();
    assert_eq!(services.len(), world.services().len() + 1, "{services:?}");
    world.stop().await;
}

#[tokio::test]
async fn an_estimate_is_what_its_schema_describes() {
    let here = tempfile::tempdir().unwrap();
    for choice in [
        &["--capacity", "provisioned", "--only", "ingest,membership,notifier,email"][..],
        &["--services", "12", "--region", "us-east-1", "--receive-pause", "100ms"],
        &["--capacity", "reserved", "--target-utilization", "90", "--egress", "endpoints"],
        &["--hop-lines", "sampled", "--publish-linger", "100ms"],
    ] {
        let arguments = [&["cost", "--events-per-minute", "10000", "--json"], choice].concat();
        let estimate = checked("cost", &foostore(here.path(), &arguments).await).remove(0);
        assert!(estimate["usd_per_million_events"].as_f64().unwrap() > 1.0, "{estimate}");
    }
}
