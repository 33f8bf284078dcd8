//! The sweeper: its parts, and how it runs.

use std::sync::{Arc, Mutex};

use aws_types::SdkConfig;
use handlers::Committer;
use opentelemetry::metrics::Meter;
use sqs_consumer::{Clock, Readiness, SystemClock};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::HandleDue;
use crate::due::{BUCKETS, bucket_name};
use crate::lease::Leases;
use crate::metrics::Metrics;
use crate::settings::SweeperSettings;
use crate::shared::{Held, Shared};
use crate::state::{OnHealth, State};
use crate::table::SweptTable;

/// A sweeper that has not been started.
pub struct Sweeper<H> {
    aws: SdkConfig,
    table: String,
    handler: H,
    settings: SweeperSettings,
    meter: Meter,
    clock: Arc<dyn Clock>,
    on_health: OnHealth,
}

impl<H: HandleDue> Sweeper<H> {
    /// Creates a sweeper that passes the items of `table` that fall due to `handler`. The table is declared with
    /// [`swept`](crate::swept), `markers` and `outbox`.
    #[must_use]
    pub fn new(
        aws: &SdkConfig,
        table: impl Into<String>,
        handler: H,
        settings: SweeperSettings,
        meter: &Meter,
    ) -> Self {
        Self {
            aws: aws.clone(),
            table: table.into(),
            handler,
            settings,
            meter: meter.clone(),
            clock: Arc::new(SystemClock),
            on_health: Box::new(|_| ()),
        }
    }

    /// Reads the time of day from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Calls `report` when sweeping begins to work, or to fail. `report` must not block.
    #[must_use]
    pub fn on_health(mut self, report: impl Fn(Readiness) + Send + Sync + 'static) -> Self {
        self.on_health = Box::new(report);
        self
    }

    /// Sweeps until `shutdown` is cancelled, the items in flight are handled and the buckets are released. Dropping the future
    /// stops everything at once; other tasks take the buckets over when the leases end.
    ///
    /// # Panics
    /// If the sweeper itself is at fault. A handler that panics is a transient failure of its item.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { aws, table, handler, settings, meter, clock, on_health } = self;
        let untraced = aws_clients::untraced_dynamodb(&aws);
        let shared = Arc::new(Shared {
            handler,
            clock,
            committer: Committer::new(aws_clients::dynamodb(&aws), &table, &settings.service)
                .announcing(settings.announcing),
            leases: Leases::new(untraced.clone(), &table, settings.lease),
            metrics: Metrics::new(&meter, &table),
            places: Semaphore::new(settings.concurrency),
            held: Held::default(),
            state: State::new(on_health),
            wanted_at: Mutex::default(),
            table: SweptTable { client: untraced, name: table },
            settings,
        });
        let mut buckets = JoinSet::new();
        for number in 0..BUCKETS {
            let (shared, shutdown) = (Arc::clone(&shared), shutdown.clone());
            buckets.spawn(async move { shared.tend(&bucket_name(number), &shutdown).await });
        }
        while let Some(ended) = buckets.join_next().await {
            if let Err(error) = ended
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl<H> std::fmt::Debug for Sweeper<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sweeper")
            .field("table", &self.table)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
