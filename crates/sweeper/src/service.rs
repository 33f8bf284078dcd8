//! A sweeper beside the consumer of a service.

use service_runtime::Runtime;
use sqs_consumer::Readiness;

use crate::{HandleDue, Sweeper, SweeperSettings};

/// Starts sweeping `table` beside the service's consumer, until the service is shut down. The service is ready as long as
/// sweeping works (the check `sweeper`).
///
/// ```no_run
/// use service_runtime::{BoxError, Runtime};
/// use sqs_consumer::{AtLeastOnceHandler, QueueSettings};
/// use sweeper::{HandleDue, SweeperSettings};
///
/// async fn run(
///     runtime: Runtime,
///     events: impl AtLeastOnceHandler,
///     due: impl HandleDue,
/// ) -> Result<(), BoxError> {
///     let mut settings = runtime.environment.settings();
///     let queue = QueueSettings::read("discounts", runtime.grace, &mut settings);
///     let sweeper = SweeperSettings::read("discounts", &mut settings);
///     let table = settings.required("DISCOUNTS_TABLE_NAME");
///     settings.finish()?;
///     sweeper::start(&runtime, sweeper, table, due);
///     Ok(sqs_consumer::serve(&runtime, queue, events).await?)
/// }
/// ```
pub fn start<H: HandleDue>(
    runtime: &Runtime,
    settings: SweeperSettings,
    table: impl Into<String>,
    handler: H,
) {
    let sweeping = runtime.health.register("sweeper");
    let sweeper =
        Sweeper::new(&runtime.aws, table, handler, settings, &runtime.meter).on_health(move |readiness| {
            match readiness {
                Readiness::Up => sweeping.up(),
                Readiness::Down { reason } => sweeping.down(reason),
            }
        });
    let shutdown = runtime.shutdown.clone();
    runtime.tasks.spawn("sweeper", async move {
        sweeper.run(shutdown).await;
        Ok(())
    });
}
