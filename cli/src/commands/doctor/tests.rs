//! Examinations of a scripted AWS.

use serde_json::json;

use super::*;
use crate::fake_aws::{FakeAws, FakeStack};

/// Creates every stack of the environment, in the state `CREATE_COMPLETE`.
fn deployed(aws: &FakeAws) {
    let resources = crate::layer::resources("foostore", cloudformation::ENVIRONMENT).unwrap();
    let mut account = aws.account();
    for part in crate::commands::deploy::parts(&resources) {
        let name = format!("foostore-prod-{}", part.name());
        let mut stack = FakeStack::complete(&name);
        if let crate::commands::deploy::Part::Service(service) = &part {
            stack.parameters.insert("ImageTag".to_owned(), "a1".to_owned());
            account.repositories.insert(format!("foostore-prod/{service}"));
            account.images.insert(format!("foostore-prod/{service}:a1"));
        }
        account.stacks.insert(name, stack);
    }
}

async fn examined_at(aws: &FakeAws) -> (Vec<Reading>, String) {
    let place = aws.place().await;
    let readings = examined(&place, "prod", &Environment::default()).await.unwrap();
    let text = report(&readings);
    (readings, text)
}

#[tokio::test]
async fn nothing_is_wrong_with_a_healthy_environment_and_nothing_is_changed() {
    let aws = FakeAws::start().await;
    deployed(&aws);
    let (readings, text) = examined_at(&aws).await;
    conclude(&readings).unwrap();
    assert_eq!(text.matches("nothing is wrong").count(), 5, "{text}");
    let asked = aws.account().asked.clone();
    assert!(
        asked.iter().all(|call| ["Describe", "Get", "List"].iter().any(|verb| call.starts_with(verb))),
        "{asked:?}"
    );
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_named() {
    let aws = FakeAws::start().await;
    deployed(&aws);
    {
        let mut account = aws.account();
        account.stack("foostore-prod-email").unwrap().status = "UPDATE_ROLLBACK_FAILED".to_owned();
        account.stacks.remove("foostore-prod-observability");
        account.images.remove("foostore-prod/ingest:a1");
        account.answers.extend([
            (
                "DescribeServices".to_owned(),
                json!({"services": [
                    {"serviceName": "foostore-prod-email", "desiredCount": 2, "runningCount": 0},
                    {"serviceName": "foostore-prod-ingest", "desiredCount": 2, "runningCount": 2},
                ]}),
            ),
            ("ListTasks".to_owned(), json!({"taskArns": ["one", "two"]})),
            (
                "DescribeTasks".to_owned(),
                json!({"tasks": [
                    {"stoppedAt": 2.5, "stoppedReason": "Essential container in task exited",
                     "containers": [{"name": "email", "exitCode": 64}, {"name": "collector"}]},
                    {"stoppedAt": 1, "stoppedReason": "an earlier one"},
                ]}),
            ),
            (
                "DescribeAlarms".to_owned(),
                json!({"MetricAlarms": [
                    {"AlarmName": "foostore-prod-email-failures", "StateReason": "Threshold Crossed"},
                    {"AlarmName": "foostore-prod-2-email-failures", "StateReason": "of another environment"},
                ]}),
            ),
            ("foostore-prod-email-dead-letter".to_owned(), json!(3)),
        ]);
    }
    let (readings, text) = examined_at(&aws).await;
    assert_eq!(conclude(&readings).unwrap_err().to_string(), "findings: 6");
    for expected in [
        "stack foostore-prod-email is UPDATE_ROLLBACK_FAILED: its update failed",
        "run: aws cloudformation continue-update-rollback --stack-name foostore-prod-email --region eu-central-1",
        "stack foostore-prod-observability does not exist",
        "run: foostore deploy --environment prod",
        "image foostore-prod/ingest:a1 is missing; push it:",
        "service foostore-prod-email runs 0 of 2 tasks; the last one stopped: Essential container in task exited \
         (email: exit code 64)",
        "alarm foostore-prod-email-failures is on: Threshold Crossed",
        "3 messages on foostore-prod-email-dead-letter",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_does_not_hide_the_rest() {
    let aws = FakeAws::start().await;
    deployed(&aws);
    aws.account().answers.extend([
        ("DescribeServices".to_owned(), json!("AccessDeniedException")),
        ("DescribeAlarms".to_owned(), json!({"MetricAlarms": "not a list"})),
    ]);
    let (readings, text) = examined_at(&aws).await;
    assert_eq!(conclude(&readings).unwrap_err().to_string(), "2 of 5 could not be read");
    assert!(
        text.contains("tasks: could not be read: ECS refused DescribeServices: AccessDeniedException"),
        "{text}"
    );
    assert!(text.contains("dead letters: nothing is wrong"), "{text}");
}
