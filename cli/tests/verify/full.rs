//! A full run against a scripted AWS.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::fake::{Fake, Goes};
use crate::{LIMIT, Waiting, findings, foostore};

fn verify(fake: &Fake) -> Command {
    foostore(&["verify", "--endpoint-url", &fake.url, "--full", "--json", "--wait", "2", "--yes"])
}

fn run(fake: &Fake) -> (Output, BTreeMap<String, (String, String)>) {
    let output = verify(fake).output().unwrap();
    let findings = findings(&String::from_utf8(output.stdout.clone()).unwrap());
    (output, findings)
}

/// Returns the verdict and the observation of one check.
fn of<'f>(findings: &'f BTreeMap<String, (String, String)>, name: &str) -> (&'f str, &'f str) {
    let (verdict, seen) = &findings[name];
    (verdict, seen)
}

#[test]
fn what_should_happen_happens_and_nothing_is_left() {
    let fake = Fake::start(&[], false);
    let (output, findings) = run(&fake);
    let stderr = String::from_utf8(output.stderr).unwrap();
    for name in ["key-policy", "key-policy-topic", "alarms", "rollback", "emf"] {
        assert_eq!(findings[name].0, "holds", "{name}: {findings:#?}");
    }
    assert!(of(&findings, "mail-bounce").1.contains("--email-sender"), "{findings:#?}");
    assert_eq!(findings.len(), 20);

    let account = fake.account();
    assert_eq!(account.left(), [] as [String; 0]);
    let ends = ["", "-again", "-alarms-1", "-rolled-back"];
    let name = account.created.first().unwrap();
    for end in ends {
        let name = format!("{name}{end}");
        assert!(account.created.contains(&name), "{:?}", account.created);
        // Whoever kills the command knows what to remove.
        assert!(stderr.contains(&format!("delete-stack --stack-name {name} ")), "{stderr}");
    }
    assert_eq!(account.too_early, [] as [String; 0]);
    assert_eq!(account.removed, [] as [Value; 0]);
    let environment = name.strip_prefix("foostore-").unwrap();
    let namespace = format!("foostore/{environment}");
    let in_namespace = |record: &Value| record["_aws"]["CloudWatchMetrics"][0]["Namespace"] == namespace;
    assert!(account.records.len() > 10 && account.records.iter().all(in_namespace));
}

#[test]
fn what_aws_refuses_is_reported_and_nothing_is_left() {
    let goes = [
        ("-alarms-1", Goes::Fails("Invalid metrics list")),
        ("-again", Goes::Fails("/foostore/x/services/kept already exists")),
    ];
    let fake = Fake::start(&goes, true);
    let (output, findings) = run(&fake);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let refused = "it was not delivered: NO_PERMISSIONS";
    assert_eq!(of(&findings, "key-policy"), ("does-not-hold", refused));
    assert_eq!(of(&findings, "key-policy-topic"), ("does-not-hold", refused));
    assert_eq!(of(&findings, "alarms"), ("does-not-hold", "Resource: Invalid metrics list"));
    let again = "the names cannot be used again: Resource: /foostore/x/services/kept already exists";
    assert_eq!(of(&findings, "rollback"), ("does-not-hold", again));
    assert_eq!(fake.account().left(), [] as [String; 0]);
}

#[test]
fn a_missing_permission_says_nothing_about_what_is_created() {
    let denied = "User is not authorized to perform: cloudwatch:PutMetricAlarm";
    let fake =
        Fake::start(&[("-alarms-1", Goes::Fails(denied)), ("-rolled-back", Goes::Fails(denied))], false);
    let (_, findings) = run(&fake);
    for name in ["alarms", "rollback"] {
        assert_eq!(of(&findings, name).0, "inconclusive", "{findings:#?}");
        assert!(of(&findings, name).1.contains(denied), "{findings:#?}");
    }
    assert_eq!(fake.account().left(), [] as [String; 0]);
}

#[test]
fn what_a_rollback_leaves_is_reported_and_removed() {
    let fake = Fake::start(&[("-rolled-back", Goes::Leaves)], false);
    let (_, findings) = run(&fake);
    let seen = "the rollback left AWS::SQS::Queue https://q";
    assert_eq!(of(&findings, "rollback"), ("does-not-hold", seen));
    let account = fake.account();
    assert_eq!(account.removed, [json!({"TypeName": "AWS::SQS::Queue", "Identifier": "https://q"})]);
    assert_eq!(account.left(), [] as [String; 0]);
}

#[test]
fn ctrl_c_removes_every_stack() {
    let fake = Fake::start(&[("-alarms-1", Goes::Hangs), ("-rolled-back", Goes::Slowly)], false);
    let mut waiting = Waiting::of(verify(&fake));
    let created = |end: &str| fake.account().created.iter().any(|name| name.ends_with(end));
    let deadline = Instant::now() + LIMIT;
    while !(created("-alarms-1") && created("-rolled-back")) {
        assert!(Instant::now() < deadline, "the stacks are not created");
        thread::yield_now();
    }
    waiting.interrupt();
    assert_eq!(waiting.ended(|_| {}).code(), Some(69));
    let (stdout, _) = waiting.rest();
    assert_eq!(of(&findings(&stdout), "alarms"), ("inconclusive", "interrupted"));
    let account = fake.account();
    assert_eq!(account.left(), [] as [String; 0]);
    assert_eq!(account.too_early, [] as [String; 0]);
}
