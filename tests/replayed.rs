//! `foostore replay`: what is replayed changes nothing that was handled, makes up for what was lost, and with `--force` notifies
//! nobody.

use std::collections::BTreeMap;
use std::process::{Output, Stdio};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::archive::archived;
use crate::documents::Documents;
use crate::faults::{Item, table};
use crate::mails::{enrolled, erased, event, logged, quiet};
use crate::schemas::checked;
use crate::world::{World, until};

const ADA: &str = "550000000001";
const GRACE: &str = "550000000002";

async fn replay(world: &World, from: &str, to: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(["replay", "--from", from, "--to", to])
        .args(more)
        .env("AWS_ENDPOINT_URL", &world.endpoint)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Two customers, one with points enough for a tier. Returns the trace of the first enrolment.
async fn history(world: &World) -> String {
    let trace_id = world.send(&enrolled(ADA, "Ada", "ada@mail.example"), &[]).await;
    world.send(&enrolled(GRACE, "Grace", "grace@mail.example"), &[]).await;
    world.send(&event("PointsEarned", ADA, &json!({"points": 1200})), &[]).await;
    until("three mails", || async { (world.mails().await.len() == 3).then_some(()) }).await;
    quiet(world).await;
    until("every event in the archive", || async {
        let crm = archived(world).await.into_iter().filter(|line| line.source == "foostore.crm").count();
        (crm == 3).then_some(())
    })
    .await;
    trace_id
}

/// Returns the items about customers of a table, without what belongs to single events.
async fn state(world: &World, name: &str) -> BTreeMap<String, Item> {
    let items = table(world, name).await.into_iter();
    let keyed = items.map(|item| (item["pk"].as_s().unwrap().clone(), item));
    keyed.filter(|(key, _)| key.contains(ADA) || key.contains(GRACE)).collect()
}

async fn forget(world: &World, name: &str) {
    for item in table(world, name).await {
        let key = item["pk"].clone();
        let delete = world.dynamodb().delete_item().table_name(format!("foostore-local-{name}"));
        delete.key("pk", key).send().await.unwrap();
    }
}

fn number(item: &Item, name: &str) -> i64 {
    item[name].as_n().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_what_was_handled_changes_nothing_and_names_the_original_trace() {
    let world = World::start().await;
    let from = Timestamp::now().to_string();
    let trace_id = history(&world).await;
    let to = Timestamp::now().to_string();
    let members = state(&world, "members").await;
    let rewards = state(&world, "rewards").await;
    let stored = archived(&world).await.len();

    let (code, out, error) = replay(&world, &from, &to, &["--dry-run", "--json"]).await;
    assert_eq!(code, Some(0), "{error}");
    let counts = checked("replay", &out).remove(0);
    assert_eq!(counts["replayed"], json!({"CustomerEnrolled": 2, "PointsEarned": 1}));
    assert_eq!(counts["skipped"]["erased"], 0);
    quiet(&world).await;
    assert!(!log_of(&world, "membership").iter().any(|line| line["outcome"] == "duplicate"));

    let (code, out, error) =
        replay(&world, &from, &to, &["--type", "CustomerEnrolled", "--rate", "50/s"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "CustomerEnrolled  2 replayed\n"), "{error}");
    logged(&world, "membership", "CustomerEnrolled", "duplicate", 2).await;
    let (code, out, error) = replay(&world, &from, &to, &["--customer", ADA, "--json"]).await;
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(checked("replay", &out)[0]["replayed"], json!({"CustomerEnrolled": 1, "PointsEarned": 1}));
    logged(&world, "rewards", "PointsEarned", "duplicate", 1).await;
    quiet(&world).await;
    assert_eq!(state(&world, "members").await, members);
    assert_eq!(state(&world, "rewards").await, rewards);
    assert_eq!(world.mails().await.len(), 3);
    assert_eq!(archived(&world).await.len(), stored, "what is replayed is in the archive already");

    let traces = until("the traces of the replays", || async {
        let filter = format!("annotation.origin_trace_id = \"{trace_id}\"");
        let now = Timestamp::now().as_second();
        let summaries = world
            .xray()
            .get_trace_summaries()
            .start_time(aws_sdk_xray::primitives::DateTime::from_secs(now - 600))
            .end_time(aws_sdk_xray::primitives::DateTime::from_secs(now + 1))
            .filter_expression(filter)
            .send()
            .await
            .unwrap()
            .trace_summaries
            .unwrap_or_default();
        (summaries.len() == 2).then_some(summaries)
    })
    .await;
    for trace in traces {
        let documents = Documents::get(&world, trace.id().unwrap()).await.unwrap();
        assert_ne!(trace.id(), Some(trace_id.as_str()));
        assert!(documents.has_segment("membership") && documents.is_one_tree(None), "{documents:?}");
    }

    let old = (Timestamp::now() - SignedDuration::from_hours(24 * 20)).to_string();
    for (from, words, code) in [(old.as_str(), "add --force", 64), (to.as_str(), "is empty", 64)] {
        let (actual, _, error) = replay(&world, from, &to, &[]).await;
        assert!(actual == Some(code) && error.contains(words), "{error}");
    }
    let (code, _, error) = replay(&world, &from, &to, &["--type", "CustomerRenamed"]).await;
    assert!(code == Some(1) && error.contains("nothing to replay"), "{error}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_replay_rebuilds_a_layer_that_lost_everything_and_notifies_nobody() {
    let world = World::start().await;
    let from = Timestamp::now().to_string();
    history(&world).await;
    world.send(&erased(GRACE), &[]).await;
    logged(&world, "archive", "MemberErased", "applied", 1).await;
    until("the farewell", || async { (world.mails().await.len() == 4).then_some(()) }).await;
    quiet(&world).await;
    let to = Timestamp::now().to_string();
    for name in ["members", "rewards", "notifications", "email-deliveries", "app-deliveries"] {
        forget(&world, name).await;
    }

    let (code, out, error) = replay(&world, &from, &to, &["--force", "--json"]).await;
    assert_eq!(code, Some(0), "{error}");
    let counts = checked("replay", &out).remove(0);
    assert_eq!(counts["replayed"], json!({"CustomerEnrolled": 1, "PointsEarned": 1}));
    assert_eq!((&counts["silent"], &counts["skipped"]["erased"]), (&json!(true), &json!(2)), "{counts}");

    let account = until("the points", || async {
        state(&world, "rewards").await.into_values().find(|item| item.contains_key("balance"))
    })
    .await;
    assert_eq!(number(&account, "balance"), 1_200);
    logged(&world, "notifier", "MemberEnrolled", "silent", 1).await;
    logged(&world, "notifier", "TierAscended", "silent", 1).await;
    quiet(&world).await;
    let members = state(&world, "members").await;
    assert!(
        members.keys().any(|key| key.contains(ADA)) && !members.keys().any(|key| key.contains(GRACE)),
        "{members:?}"
    );
    assert_eq!(world.mails().await.len(), 4);

    // The layer is as it was: what happens now is notified again.
    let renamed = event("CustomerRenamed", ADA, &json!({"name": {"given": "Augusta", "family": "King"}}));
    world.send(&renamed, &[]).await;
    until("a mail", || async { (world.mails().await.len() == 5).then_some(()) }).await;
    world.stop().await;
}

/// Returns what a service logged of events.
fn log_of(world: &World, service: &str) -> Vec<Value> {
    let file = world.log_files().into_iter().find(|file| file.ends_with(format!("{service}.jsonl"))).unwrap();
    let log = std::fs::read_to_string(file).unwrap();
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
