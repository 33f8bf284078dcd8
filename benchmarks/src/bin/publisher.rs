//! A service that publishes events, each from a task that waits for its outcome.

use std::process::ExitCode;

use benchmarks::Calls;
use publisher::{EventPublisher, PublisherSettings};
use service_runtime::{BoxError, Runtime};

/// The allocator of the services.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service_runtime::main("benchmarks", "publisher", env!("CARGO_PKG_VERSION"), serve)
}

async fn serve(runtime: Runtime) -> Result<(), BoxError> {
    let client = aws_sdk_eventbridge::Client::new(&runtime.aws);
    let bus = runtime.environment.required("EVENT_BUS_NAME")?.to_owned();
    let publisher = EventPublisher::new(client, bus, PublisherSettings::default(), &runtime.meter);
    let renamed = benchmarks::renamed()?;
    let publish = move || {
        let (publisher, event) = (publisher.clone(), benchmarks::published(&renamed));
        async move {
            publisher.publish(event?).await?;
            Ok(())
        }
    };
    let made = Calls::read(&runtime.environment)?.make(1, publish).await?;
    if let Some(departure) = runtime.departures.of_ended() {
        departure.wait().await;
    }
    made.report()?;
    runtime.shutdown.cancelled().await;
    Ok(())
}
