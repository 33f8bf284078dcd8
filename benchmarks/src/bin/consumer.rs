//! A service whose handler reads its event and does nothing else: what remains is what the consumer costs.

use std::process::ExitCode;

use benchmarks::Progress;
use contracts::CustomerRenamed;
use outcome::{Done, Failure};
use service_runtime::{BoxError, Runtime};
use sqs_consumer::{AtLeastOnceHandler, Delivery, QueueSettings};

/// The allocator of the services.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NAME: &str = "consumer";

fn main() -> ExitCode {
    service_runtime::main("benchmarks", NAME, env!("CARGO_PKG_VERSION"), serve)
}

async fn serve(runtime: Runtime) -> Result<(), BoxError> {
    let mut settings = runtime.environment.settings();
    let queue = QueueSettings::read(NAME, runtime.grace, &mut settings);
    settings.finish()?;
    let handler = Read(Progress::read(&runtime.environment));
    Ok(sqs_consumer::serve(&runtime, queue, handler).await?)
}

struct Read(Progress);

impl AtLeastOnceHandler for Read {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        let renamed: CustomerRenamed = delivery.envelope.decode()?;
        std::hint::black_box(renamed);
        self.0.add(1);
        Ok(Done::APPLIED)
    }
}
