//! A service whose handler reads its event and does nothing: what remains is what the consumer costs.

use std::process::ExitCode;

use contracts::CustomerRenamed;
use outcome::{Done, Failure};
use service_runtime::{BoxError, Runtime};
use sqs_consumer::{AtLeastOnceHandler, Delivery, QueueSettings};

use super::Progress;

const NAME: &str = "consumer";

pub(super) fn run() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_) => return ExitCode::FAILURE,
    };
    let environment = service_runtime::Environment::from_process();
    let version = env!("CARGO_PKG_VERSION");
    runtime.block_on(service_runtime::run("benchmarks", NAME, version, environment, serve))
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
