//! Commands find the run of `foostore up` that they are about.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

use serde_json::json;
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
    second.stop().await;
    // The second run has left the first one's log files alone.
    let (code, again) = foostore(directory.path(), &["logs", "--log-dir", &first.log_dir, id]).await;
    assert_eq!((code, again), (Some(0), lines));
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
