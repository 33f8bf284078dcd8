//! A consumer as a service: settings come from the environment, readiness is reported on the health routes.

use std::time::Duration;

use service_runtime::Runtime;

use crate::protection::ScaleInProtection;
use crate::{
    AtLeastOnceHandler, Consumer, ConsumerError, ConsumerSettings, Readiness, SettingsError, SqsQueue,
};

/// Where a service's messages come from and how they are consumed.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// `QUEUE_URL`.
    pub queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`.
    pub dead_letter_queue_url: String,
    /// The `CONSUMER_*` settings, fitted into the service's grace period.
    pub consumer: ConsumerSettings,
}

impl QueueSettings {
    /// Reads the settings for the service named `service`, which has `grace` to shut down. Missing and invalid settings
    /// are recorded in `settings`, and [`finish`](service_runtime::Settings::finish) reports them with the service's
    /// own.
    #[must_use]
    pub fn read(service: &str, grace: Duration, settings: &mut service_runtime::Settings<'_>) -> Self {
        let queue_url = settings.required("QUEUE_URL");
        let dead_letter_queue_url = settings.required("DEAD_LETTER_QUEUE_URL");
        let consumer =
            ConsumerSettings::read(service, |name| settings.optional(name)).unwrap_or_else(|error| {
                match error {
                    SettingsError::NotANumber { name } => settings.wrong(name, "expected a whole number"),
                    SettingsError::Conflict { name, rule } => settings.wrong(name, format!("must be {rule}")),
                }
                ConsumerSettings::new(service)
            });
        Self { queue_url, dead_letter_queue_url, consumer: consumer.within_grace(grace) }
    }
}

/// Consumes the queue until the service is shut down and the messages in flight are settled. From this call on, the
/// service is ready as long as receiving works (the check `queue`).
///
/// A service whose messages may take longer than ECS allows a task to stop (`CONSUMER_MAX_PROCESSING_S` above 120) is
/// protected from scale-in and from deployments while it has messages in flight.
///
/// ```no_run
/// use service_runtime::{BoxError, Runtime};
/// use sqs_consumer::{AtLeastOnceHandler, QueueSettings};
///
/// async fn run(runtime: Runtime, handler: impl AtLeastOnceHandler) -> Result<(), BoxError> {
///     let mut settings = runtime.environment.settings();
///     let queue = QueueSettings::read("rewards", runtime.grace, &mut settings);
///     settings.finish()?;
///     Ok(sqs_consumer::serve(&runtime, queue, handler).await?)
/// }
/// ```
///
/// # Errors
/// Returns a [`ConsumerError`] if the settings are invalid or the drain overran.
pub async fn serve<H: AtLeastOnceHandler>(
    runtime: &Runtime,
    settings: QueueSettings,
    handler: H,
) -> Result<(), ConsumerError> {
    // Without the tracing interceptor: receives and deletes are recorded as metrics, not spans.
    let client = aws_sdk_sqs::Client::new(&runtime.aws);
    let queue = SqsQueue::new(client, settings.queue_url, settings.dead_letter_queue_url);
    let receiving = runtime.health.register("queue");
    let protection = ScaleInProtection::of(runtime, settings.consumer.max_processing);
    let mut consumer = Consumer::new(queue, handler, settings.consumer, &runtime.meter)
        .after(runtime.departures.clone())
        .on_health(move |readiness| match readiness {
            Readiness::Up => receiving.up(),
            Readiness::Down { reason } => receiving.down(reason),
        });
    if let Some(protection) = &protection {
        consumer = consumer.on_work(protection.reporter());
    }
    runtime.health.ready();
    let ended = consumer.run(runtime.shutdown.clone()).await;
    if let Some(protection) = protection {
        protection.end().await;
    }
    ended
}
