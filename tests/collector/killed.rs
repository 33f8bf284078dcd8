//! A service that is killed in the middle of a message, through the collector: X-Ray gets the unfinished attempt too.

use super::layer_with_collector;
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
