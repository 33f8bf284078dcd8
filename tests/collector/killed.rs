//! Services that are killed, through the collector: X-Ray gets the unfinished attempt too, and every trace is connected.

use jiff::Timestamp;

use super::layer_with_collector;
use crate::documents::WAY;
use crate::killed::at_random::{all_connected, burst, from_environment};
use crate::killed::{IN_MID_MESSAGE, killed_in_mid_message};

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_passes_on_the_attempt_that_never_finished() {
    let Some((world, collector)) = layer_with_collector(&[]).await else { return };
    for (number, hanging) in IN_MID_MESSAGE.into_iter().enumerate() {
        killed_in_mid_message(&world, number, hanging).await;
    }
    world.stop().await;
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_trace_through_the_collector_is_connected_when_services_are_killed_at_any_moment() {
    let Some((world, collector)) = layer_with_collector(&[]).await else { return };
    let (mut random, size) = from_environment();
    let began = Timestamp::now();
    burst(&world, 0, size, &mut random, &WAY.map(|(service, _)| service)).await;
    all_connected(&world, began, size).await;
    world.stop().await;
    collector.stop().await;
}
