//! A service that is killed in the middle of a message, through the collector: X-Ray gets the unfinished attempt too.

use super::{Addresses, Collector, program};
use crate::killed::{IN_MID_MESSAGE, killed_in_mid_message};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_passes_on_the_attempt_that_never_finished() {
    let Some(program) = program().await else { return };
    let addresses = Addresses::free();
    let world = World::start_with(&["--otlp-endpoint", &addresses.otlp()], &[]).await;
    let settings = [("XRAY_ENDPOINT", world.xray_endpoint.as_str()), ("METRICS_EXPORTER", "debug")];
    let collector = Collector::start(&program, &addresses, &settings).await;
    for (number, hanging) in IN_MID_MESSAGE.into_iter().enumerate() {
        killed_in_mid_message(&world, number, hanging).await;
    }
    world.stop().await;
    collector.stop().await;
}
