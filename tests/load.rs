//! `foostore load`: every event is followed from the time at which it was due to its last effect.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::schemas::checked;
use crate::world::{PATIENCE, World};

async fn foostore(arguments: &[&str]) -> String {
    let command = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .arg("load")
        .args(arguments)
        .env_remove("FOOSTORE_URL")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, command).await.unwrap().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn is_above_zero(times: &Value) -> bool {
    ["p50", "p90", "p99", "max"].iter().all(|name| times[name].as_f64().is_some_and(|time| time > 0.0))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_followed_to_its_last_effect() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let histograms = directory.path().join("histograms");
    let arguments =
        ["--rate", "20/s", "--for", "2s", "--drain", "--json", "--url", &world.ingest, "--log-dir"];
    let runs = std::path::Path::new(&world.log_dir).parent().unwrap().to_str().unwrap();
    let to = ["--histograms", histograms.to_str().unwrap()];
    let output = foostore(&[&arguments[..], &[runs], &to].concat()).await;
    let document = checked("load", &output).remove(0);
    let step = &document["steps"][0];
    assert_eq!((&step["sent"], &step["accepted"]), (&Value::from(40), &Value::from(40)), "{step}");
    let effects = &step["effects"];
    assert_eq!((&effects["lost"], &effects["finished"]), (&Value::from(0), &Value::from(40)), "{effects}");
    for times in [&step["accept_s"], &effects["last_effect_s"]] {
        assert!(is_above_zero(times), "{times}");
    }
    let hops = effects["hops"].as_array().unwrap();
    for (service, input) in
        [("ingest", "event"), ("rewards", "event"), ("wallet", "announcement"), ("archive", "event")]
    {
        let hop = hops.iter().find(|hop| hop["service"] == service && hop["input"] == input);
        assert!(
            hop.is_some_and(|hop| is_above_zero(&hop["since_intended_s"])),
            "{service} {input}: {hops:?}"
        );
    }
    assert_eq!(document["tracing"]["sampler"], "parentbased_always_on");
    assert_eq!(effects["processes"].as_array().unwrap().len(), world.services().len() + 1);
    assert!(effects["events_per_cpu_s"].as_f64().unwrap() > 0.0, "{effects}");

    for (file, events) in [("accept", 40), ("last-effect", 40), ("hop-ingest-event", 40)] {
        let intervals = histogram_log::read(&histograms.join(file).with_extension("hlog")).unwrap();
        assert_eq!((intervals.len(), intervals[0].histogram.len()), (1, events), "{file}");
    }
    let file = directory.path().join("load.json");
    std::fs::write(&file, &output).unwrap();
    let file = file.to_str().unwrap();
    let comparison = checked("load-compare", &foostore(&["--compare", file, file, "--json"]).await).remove(0);
    let rows = comparison["rows"].as_array().unwrap();
    assert!(
        rows.len() > 10 && rows.iter().all(|row| row["ratio"].is_null() || row["ratio"] == 1.0),
        "{rows:?}"
    );
    world.stop().await;
}
