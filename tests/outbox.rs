//! `foostore outbox republish`: what was announced is announced once more, under the same ids, and has no second effect.

use std::process::{Output, Stdio};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::world::{World, until};

async fn republish(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(["outbox", "republish"])
        .args(arguments)
        .env("AWS_ENDPOINT_URL", &world.endpoint)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Returns the ids of the events of this type that notifier has handled, in the order of its log.
fn handled(world: &World, event_type: &str, customer_number: &str) -> Vec<String> {
    let file = world.log_files().into_iter().find(|file| file.ends_with("notifier.jsonl")).unwrap();
    let log = std::fs::read_to_string(file).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["event_type"] == event_type && line["customer_number"] == customer_number)
        .filter_map(|line| Some(line["event_id"].as_str()?.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_is_announced_again_and_mailed_once() {
    let world = World::start().await;
    let from = Timestamp::now().to_string();
    let [ada, grace] = ["480000000001", "480000000002"];
    for customer_number in [ada, grace] {
        let event = json!({
            "type": "CustomerEnrolled", "customer_number": customer_number,
            "data": {"name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@mail.example",
                     "channels": ["email"]}
        });
        world.send(&event, &[]).await;
    }
    let mails = async |expected: usize| {
        until(&format!("{expected} mails"), || async {
            (world.mails().await.len() == expected).then_some(())
        })
        .await;
    };
    mails(2).await;

    let (code, out, error) = republish(&world, &["--from", &from, "--dry-run"]).await;
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("foostore-local-members  MemberEnrolled  2 to announce again"), "{out}");
    assert_eq!(handled(&world, "MemberEnrolled", ada).len(), 1);

    // Twice, so that a copy of a copy would show.
    for times in [2, 3] {
        let (code, out, error) =
            republish(&world, &["--from", &from, "--type", "MemberEnrolled", "--customer", ada]).await;
        assert_eq!(code, Some(0), "{error}");
        assert!(out.contains("MemberEnrolled  1 announced again"), "{out}");
        let ids = until("the event to be handled again", || async {
            let ids = handled(&world, "MemberEnrolled", ada);
            (ids.len() == times).then_some(ids)
        })
        .await;
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
    assert_eq!(handled(&world, "MemberEnrolled", grace).len(), 1);

    // The mail of a further event is the last one, so no other is on its way.
    let renamed = json!({
        "type": "CustomerRenamed", "customer_number": ada,
        "data": {"name": {"given": "Ada", "family": "King"}}
    });
    world.send(&renamed, &[]).await;
    mails(3).await;
    let stored = world.dynamodb().scan().table_name("foostore-local-members").send().await.unwrap();
    let copies = stored.items().iter().filter(|item| {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        text("event_id").is_some() && text("pk").is_some_and(|key| key.starts_with("OUTBOX#"))
    });
    assert_eq!(copies.count(), 0);

    for (arguments, code, words) in [
        (["--from", &from, "--type", "MemberErased"], 1, "nothing to announce again"),
        (["--from", &from, "--table", "menbers"], 64, "no table with an outbox; there are members"),
        (["--from", &from, "--to", "2020-01-01T00:00:00Z"], 64, "is empty"),
    ] {
        let (actual, _, error) = republish(&world, &arguments).await;
        assert!(actual == Some(code) && error.contains(words), "{arguments:?}: {error}");
    }
    world.stop().await;
}
