//! Dependencies that accept a call and never answer it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::faults::depth;
use crate::world::{World, until};

/// The dependency, who calls it, and what readiness says.
const HANGING: [(&str, &str, &str); 5] = [
    ("dynamodb", "membership", "DynamoDB unavailable: timeout"),
    ("dynamodb", "notifier", "DynamoDB unavailable: timeout"),
    ("sns", "notifier", "SNS unavailable: timeout"),
    ("dynamodb", "email", "DynamoDB unavailable: timeout"),
    ("ses", "email", "SES unavailable: timeout"),
];
const EVENTS: usize = 40;
/// How long after its first call a hanging dependency may go unnoticed.
const NOTICED: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_that_hangs_is_named_within_ten_seconds_and_no_message_is_lost() {
    let world = World::start_with(&[], &[("CONSUMER_BACKOFF_CAP_S", "3")]).await;
    for (round, (service, caller, reason)) in (0..).zip(HANGING) {
        world.fault(&json!({"service": service, "caller": caller, "error": "timeout"})).await;
        for number in 0..EVENTS {
            world.send(&enrolment(&format!("47000000{round:02}{number:02}")), &[]).await;
        }
        let first = until(&format!("a call of {caller}"), || async { first_call(&world).await }).await;
        let answer = until(&format!("{caller} not to be ready"), || async {
            let (ready, answer) = world.readiness(caller).await;
            (!ready).then_some(answer)
        })
        .await;
        assert!(answer.contains(reason), "{answer}");
        assert!(first.elapsed() <= NOTICED, "{caller}: {:?} after the first call", first.elapsed());

        world.clear_faults().await;
        let mails = EVENTS * (round + 1);
        until("every mail", || async { (world.mails().await.len() >= mails).then_some(()) }).await;
        until(&format!("{caller} to be ready"), || async { world.readiness(caller).await.0.then_some(()) })
            .await;
        assert_eq!(depth(&world, true).await, 0, "dead letters after {caller} waited for {service}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_hangs_makes_ingest_unready_within_ten_seconds() {
    let world = World::start().await;
    world.fault(&json!({"service": "events", "caller": "ingest", "error": "timeout"})).await;
    let started = Instant::now();
    let event = enrolment("470000009999");
    let (posted, unready) = tokio::join!(
        world.post(&event, &[]),
        until("ingest not to be ready", || async { (!world.readiness("ingest").await.0).then(Instant::now) })
    );
    assert_eq!(posted.0, 503, "{}", posted.1);
    assert!(unready - started <= NOTICED, "{:?}", unready - started);
    world.clear_faults().await;
    world.send(&event, &[]).await;
    until("ingest to be ready", || async { world.readiness("ingest").await.0.then_some(()) }).await;
    world.stop().await;
}

fn enrolment(customer: &str) -> Value {
    let data = json!({
        "name": {"given": "Grace", "family": "Hopper"}, "email": "grace@mail.example", "channels": ["email"]
    });
    json!({"type": "CustomerEnrolled", "customer_number": customer, "data": data})
}

/// Returns now if the injected fault has affected a call.
async fn first_call(world: &World) -> Option<Instant> {
    let faults = world.faults().await;
    (faults[0]["injected"].as_u64() > Some(0)).then(Instant::now)
}
