//! Commands find the run of `foostore up` that they are about.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::world::{World, until};

/// Runs a command in a directory, with no address given.
async fn foostore(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(arguments)
        .env_remove("AWS_ENDPOINT_URL")
        .current_dir(directory)
        .output()
        .await
        .unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_find_the_run_in_their_directory_and_ask_if_there_are_two() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join(".foostore")).unwrap();
    let logs = directory.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    symlink(&logs, directory.path().join(".foostore/logs")).unwrap();
    let event = json!({
        "type": "CustomerEnrolled", "customer_number": "550000000001",
        "data": {"name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@mail.example", "channels": ["email"]}
    });
    let file = directory.path().join("event.json");
    std::fs::write(&file, event.to_string()).unwrap();

    let first = World::start_with(&["--log-dir", logs.to_str().unwrap()], &[]).await;
    let (code, sent) = foostore(directory.path(), &["send", "event.json", "--wait", "30"]).await;
    assert_eq!(code, Some(0), "{sent}");
    assert!(sent.contains("membership"), "{sent}");
    until("the mail", || async { (!first.mails().await.is_empty()).then_some(()) }).await;
    let (code, mails) = foostore(directory.path(), &["mail"]).await;
    assert_eq!(code, Some(0));
    assert!(mails.contains("ada@mail.example"), "{mails}");
    let id = sent.split(' ').next().unwrap();
    let (code, lines) = foostore(directory.path(), &["logs", id]).await;
    assert_eq!(code, Some(0), "{lines}");
    assert!(lines.contains("ingest") && lines.contains("email"), "{lines}");

    let second = World::start_with(&["--log-dir", logs.to_str().unwrap()], &[]).await;
    let (code, choice) = foostore(directory.path(), &["mail"]).await;
    assert_eq!(code, Some(64));
    assert!(choice.contains(&first.endpoint) && choice.contains(&second.endpoint), "{choice}");
    let (code, choice) = foostore(directory.path(), &["logs", id]).await;
    assert_eq!(code, Some(64), "{choice}");
    for run in [&first.log_dir, &second.log_dir] {
        let name = Path::new(run).file_name().unwrap().to_str().unwrap();
        assert!(choice.contains(name), "{name}: {choice}");
    }
    second.stop().await;
    // The second run has left the first one's log files alone.
    for arguments in [&["logs", id][..], &["logs", "--log-dir", &first.log_dir, id]] {
        let (code, again) = foostore(directory.path(), arguments).await;
        assert_eq!((code, &again), (Some(0), &lines), "{arguments:?}");
    }
    first.stop().await;
    let (code, error) = foostore(directory.path(), &["mail"]).await;
    assert!(code == Some(69) && error.contains("127.0.0.1:4566"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_starts_whatever_its_services_log() {
    let world = World::start_with(&[], &[("RUST_LOG", "error")]).await;
    assert!(world.readiness("email").await.0);
    world.kill("email").await;
    until("email to be ready again", || async { world.readiness("email").await.0.then_some(()) }).await;
    world.stop().await;
}

/// Returns what `foostore ps --json` prints about the only run below `logs`, by service.
async fn ps(logs: &Path) -> impl Fn(&str) -> Value + use<> {
    let (code, listed) =
        foostore(logs, &["ps", "--json", "--log-dir", logs.parent().unwrap().to_str().unwrap()]).await;
    assert_eq!(code, Some(0), "{listed}");
    let instances: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(instances.as_array().unwrap().len(), 1, "{instances}");
    move |name| {
        let mut rows = instances[0]["services"].as_array().unwrap().iter();
        rows.find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {instances}")).clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_listed_and_restarted() {
    let world = World::start().await;
    let logs = PathBuf::from(&world.log_dir);
    let logs = logs.as_path();
    let services = ps(logs).await;
    let email = services("email");
    assert_eq!((&email["state"], &email["pid"]), (&json!("ready"), &json!(world.pid("email"))), "{email}");
    assert_eq!(services("foostore")["state"], "ready");
    if cfg!(target_os = "linux") {
        assert!(email["memory_bytes"].as_u64().unwrap() > 1_000_000, "{email}");
        assert!(email["cpu_s"].as_f64().unwrap() > 0.0, "{email}");
    }

    let parent = logs.parent().unwrap().to_str().unwrap();
    let (code, restarted) = foostore(logs, &["restart", "email", "notifier", "--log-dir", parent]).await;
    assert_eq!(code, Some(0), "{restarted}");
    assert!(restarted.contains(&format!("pid {}, now pid ", email["pid"])), "{restarted}");
    let services = ps(logs).await;
    let after = services("email");
    assert_eq!((&after["state"], &after["restarts"]), (&json!("ready"), &json!(1)), "{after}");
    assert_ne!(after["pid"], email["pid"]);
    assert_eq!(after["health"], email["health"], "the address is kept");
    assert_eq!(services("ingest")["restarts"], 0);
    let log = std::fs::read_to_string(logs.join("email.jsonl")).unwrap();
    assert!(log.contains("drain"), "the first process was not drained: {log}");

    let (code, refused) = foostore(logs, &["restart", "nobody", "--log-dir", parent]).await;
    assert_eq!(code, Some(64), "{refused}");
    let directory = world.stop_and_keep_logs().await;
    let (code, none) = foostore(directory.path(), &["ps", "--log-dir", "logs"]).await;
    assert!(code == Some(1) && none.contains("nothing runs in logs"), "{code:?} {none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_source_file_is_built_and_the_services_restart_with_it() {
    // A workspace whose cargo replaces the program, or fails while there is an error in the source.
    let workspace = tempfile::tempdir().unwrap();
    let at = |path: &str| workspace.path().join(path);
    std::fs::create_dir_all(at("cli/src")).unwrap();
    std::fs::create_dir_all(at("target/debug")).unwrap();
    std::fs::write(at("cli/src/layer.rs"), "first").unwrap();
    let program = at("target/debug/foostore");
    std::fs::copy(env!("CARGO_BIN_EXE_foostore"), &program).unwrap();
    let cargo = at("cargo");
    let script = "#!/bin/sh\necho \"$@\" > called\n\
                  grep -q error cli/src/layer.rs && { touch failed; echo 'no such type' >&2; exit 101; }\n\
                  cp target/debug/foostore built && mv built target/debug/foostore\n";
    std::fs::write(&cargo, script).unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();

    let environment = [("CARGO", cargo.to_str().unwrap())];
    let world = World::start_in(&program, Some(workspace.path()), &["--watch"], &environment).await;
    let pids = || world.services().iter().map(|name| world.pid(name)).collect::<Vec<_>>();
    let before = pids();
    // In one step, or a build could find the file empty.
    let replace = |text: &str| {
        std::fs::write(at("next"), text).unwrap();
        std::fs::rename(at("next"), at("cli/src/layer.rs")).unwrap();
    };
    replace("an error");
    until("the build to fail", || async { at("failed").exists().then_some(()) }).await;
    let called = std::fs::read_to_string(at("called")).unwrap();
    assert!(called.starts_with("build ") && called.contains("--profile dev"), "{called}");
    replace("second");
    until("every service to be restarted", || async {
        pids().iter().zip(&before).all(|(now, before)| now != before).then_some(())
    })
    .await;
    for service in world.services() {
        let state = until("the service to be ready", || async {
            let state = ps(Path::new(&world.log_dir)).await(&service);
            (state["state"] == "ready").then_some(state)
        })
        .await;
        assert_eq!(state["restarts"], 1, "the failed build must restart nothing: {state}");
    }
    world.stop().await;
}
