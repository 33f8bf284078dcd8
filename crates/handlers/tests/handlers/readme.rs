//! Verifies that README.md's example does what README.md says.

use std::process::ExitCode;
use std::time::Duration;

use service_runtime::Environment;
use service_test::{TestCloud, envelope};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use topology::Service;

use crate::rewards::{self, PointsEarned};

const CUSTOMER: &str = "100000000001";

#[test]
fn the_readme_shows_the_service_that_is_tested_here() {
    let (_, example) = include_str!("rewards.rs").split_once("// README.md repeats what follows.\n").unwrap();
    let readme = include_str!("../../../../README.md");
    assert!(readme.contains(&format!("```rust\n{example}```")), "README.md does not repeat rewards.rs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_points_count_once_however_often_they_arrive_and_whichever_response_is_lost() {
    let cloud = TestCloud::start([
        rewards::topology(),
        Service::new("crm").publishes_to_bus().emits::<(PointsEarned,)>(),
    ])
    .await;
    // One fault per attempt that the SDK makes for each message: no handler receives the response to a committed
    // transaction.
    cloud.fail("dynamodb", "TransactWriteItems", "drop-response", 6).await;
    let event = envelope(&PointsEarned { customer_number: CUSTOMER.to_owned(), points: 5 });
    cloud.send(rewards::NAME, &event).await;
    cloud.send(rewards::NAME, &event).await;

    let (running, started) = oneshot::channel();
    let service = tokio::spawn(service_runtime::run(
        "shop",
        rewards::NAME,
        "1.0.0",
        Environment::from_pairs(cloud.environment(rewards::NAME)),
        |runtime| {
            drop(running.send(runtime.shutdown.clone()));
            rewards::run(runtime)
        },
    ));
    let shutdown = started.await.unwrap();
    let handled = async {
        while cloud.depth(rewards::NAME).await > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(1), handled).await.unwrap();
    shutdown.cancel();
    assert_eq!(format!("{:?}", service.await.unwrap()), format!("{:?}", ExitCode::SUCCESS));

    let balance = cloud.item("rewards", format!("BALANCE#{CUSTOMER}")).await.unwrap();
    assert_eq!(balance["points"].as_n().unwrap(), "5");
    assert_eq!(cloud.items("rewards", "EVENT#").await.len(), 1);
    assert_eq!(cloud.dead_letters(rewards::NAME).await, 0);
    cloud.shutdown().await;
}
