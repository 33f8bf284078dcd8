//! The cloud alone dies and starts again, under traffic, and the layer heals without a restart of any service; everything
//! stops and starts again, and the traces are there.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::cloud::Cloud;
use crate::documents::Documents;
use crate::reserved::Reserved;
use crate::world::{World, until};

fn enrolment(customer: &str, address: &str) -> Value {
    json!({"type": "CustomerEnrolled", "customer_number": customer, "data": {
        "name": {"given": "Grace", "family": "Hopper"}, "email": address, "channels": ["email"]
    }})
}

/// Enrols a customer and waits for the mail.
async fn enrol_and_mail(world: &World, customer: &str) {
    let address = format!("c{customer}@mail.example");
    until(&format!("ingest to take the enrolment of {customer}"), || async {
        let (status, _) = world.post(&enrolment(customer, &address), &[]).await;
        (status == 202).then_some(())
    })
    .await;
    until(&format!("the mail to {customer}"), || mailed(world, &address)).await;
}

async fn mailed(world: &World, address: &str) -> Option<()> {
    world.mails().await.iter().any(|mail| mail["to"][0] == address).then_some(())
}

/// Traces are there after a restart, and in another cloud that imports them.
#[tokio::test(flavor = "multi_thread")]
async fn traces_outlive_a_restart_of_everything_and_travel_in_a_file() {
    let data = tempfile::tempdir().unwrap();
    let options = ["--data-dir", data.path().to_str().unwrap()];
    let world = World::start_with(&options, &[]).await;
    let trace = world.send(&enrolment("470000000009", "again@mail.example"), &[]).await;
    let whole = Documents::whole(&world, &trace, None).await.all().len();
    world.stop().await;

    let world = World::start_with(&options, &[]).await;
    let kept = Documents::get(&world, &trace).await.unwrap().all().len();
    assert!(kept >= whole, "{kept} of {whole} and what came later");
    let file = data.path().join("traces.zip");
    let file = file.to_str().unwrap();
    traces(&world, &["--export", file, "--filter", "annotation.customer_number = \"470000000009\""]).await;
    world.stop().await;

    let world = World::start().await;
    assert!(Documents::get(&world, &trace).await.is_none());
    traces(&world, &["--import", file]).await;
    let imported = Documents::get(&world, &trace).await.unwrap();
    imported.assert_one_tree(None);
    assert_eq!(imported.all().len(), kept);
    world.stop().await;
}

/// Runs `foostore traces`.
async fn traces(world: &World, arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(["traces", "--endpoint-url", &world.xray_endpoint])
        .args(arguments)
        .output();
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layer_heals_when_the_cloud_alone_is_killed_and_started_again() {
    let data = tempfile::tempdir().unwrap();
    let options = ["--data-dir", data.path().to_str().unwrap()];
    let reserved = Reserved::new();
    let address = reserved.to_string();
    let cloud = Cloud::start(&address, &options).await;
    let world = Arc::new(World::start_with(&cloud.options(), &[("CONSUMER_BACKOFF_CAP_S", "5")]).await);
    enrol_and_mail(&world, "470000000001").await;
    let pids: Vec<_> = world.services().iter().map(|service| world.pid(service)).collect();

    // Traffic all the time; while the cloud is down, ingest answers with 503.
    let traffic = tokio::spawn({
        let world = Arc::clone(&world);
        async move {
            for number in 0_u64.. {
                let customer = format!("48{number:010}");
                world.post(&enrolment(&customer, "traffic@mail.example"), &[]).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    until("traffic", || mailed(&world, "traffic@mail.example")).await;
    cloud.kill().await;
    until("ingest to notice", || async {
        let (status, _) = world.post(&enrolment("470000000002", "nobody@mail.example"), &[]).await;
        (status == 503).then_some(())
    })
    .await;

    let cloud = Cloud::start(&address, &options).await;
    assert!(cloud.is_healthy().await);
    assert!(mailed(&world, "c470000000001@mail.example").await.is_some(), "mails outlive the cloud");
    enrol_and_mail(&world, "470000000003").await;
    for service in world.services() {
        until(&format!("{service} to be ready"), || async {
            world.readiness(&service).await.0.then_some(())
        })
        .await;
    }
    let now: Vec<_> = world.services().iter().map(|service| world.pid(service)).collect();
    assert_eq!(now, pids, "no service was restarted");

    traffic.abort();
    drop(traffic.await);
    Arc::into_inner(world).expect("traffic has ended").stop().await;
    cloud.kill().await;
}
