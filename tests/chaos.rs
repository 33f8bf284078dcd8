//! The layer under every kind of fault, by `foostore chaos`: no event is lost, and no effect happens twice unless an answer
//! was lost.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::schemas::checked;
use crate::world::{say, say_all};

/// The limit for a run, several times what it takes alone.
const LIMIT: Duration = Duration::from_mins(15);

/// Runs the suite and returns its outcomes. `FOOSTORE_TEST_CHAOS_SEED` repeats another run.
async fn chaos(arguments: &[&str]) -> Value {
    let environment = service_runtime::Environment::from_process();
    let seed = environment.get("FOOSTORE_TEST_CHAOS_SEED").unwrap_or("20261127");
    say(&format!("seed {seed}"));
    let mut run = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(["chaos", "--quick", "--json", "--seed", seed])
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    say_all("", run.stderr.take().unwrap());
    let output = tokio::time::timeout(LIMIT, run.wait_with_output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let document = checked("chaos", &text).pop().expect("one document");
    assert!(output.status.success(), "{document:#}");
    document
}

fn scenario<'a>(document: &'a Value, name: &str) -> &'a Value {
    let mut scenarios = document["scenarios"].as_array().unwrap().iter();
    scenarios.find(|scenario| scenario["scenario"] == name).unwrap_or_else(|| panic!("no {name}"))
}

/// The quick form of the whole suite.
#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_accounted_for_after_every_fault() {
    let document = chaos(&[]).await;
    for scenario in document["scenarios"].as_array().unwrap() {
        say(&scenario.to_string());
        // One message on each queue that no service can handle, and nothing else.
        assert!(scenario["dead_lettered"].as_u64().unwrap() >= 6, "{scenario}");
    }
    let count = |name: &str, what: &str| scenario(&document, name)[what].as_u64().unwrap();
    for killing in ["kill", "terminate", "outlast"] {
        assert!(count(killing, "processes") >= 6, "{document:#}");
    }
    for failing in ["errors", "lost-answers", "duplicates", "slow-dynamodb", "sns-away"] {
        assert!(count(failing, "calls_affected") > 10, "{document:#}");
    }
    for name in ["calm", "terminate", "errors", "duplicates", "slow-dynamodb", "sns-away"] {
        assert_eq!(count(name, "doubled"), 0, "no answer is lost in {name}");
    }
}

/// 50 customers, 1,000 events of points, each delivered twice and all in random order.
#[tokio::test(flavor = "multi_thread")]
async fn every_balance_is_right_after_two_thousand_deliveries_under_kills() {
    let document = chaos(&["--only", "points", "--events", "1000"]).await;
    let points = scenario(&document, "points");
    assert_eq!((points["customers"].as_u64(), points["events"].as_u64()), (Some(50), Some(2_000)));
    assert_eq!(points["processes"], 5);
}
