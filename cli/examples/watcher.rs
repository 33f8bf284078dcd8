//! A whole service in one file: it watches enrolments and does nothing about them.
//!
//! The name is the first argument, so that it can run many times: `tests/thirty.rs` runs thirty of them beside the layer.

use std::process::ExitCode;

use contracts::MemberEnrolled;
use handlers::{AtLeastOnce, HandleAtLeastOnce, Subscriber};
use service_runtime::{BoxError, Runtime};
use sqs_consumer::{Delivery, Done, Failure, QueueSettings};

struct Watch;

impl Subscriber for Watch {
    type Events = (MemberEnrolled,);
}

impl HandleAtLeastOnce<MemberEnrolled> for Watch {
    async fn handle(&self, _: MemberEnrolled, _: &Delivery) -> Result<Done, Failure> {
        Ok(Done::without_effect("watched"))
    }
}

async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let mut settings = runtime.environment.settings();
    let queue = QueueSettings::read(runtime.service, runtime.grace, &mut settings);
    settings.finish()?;
    Ok(sqs_consumer::serve(&runtime, queue, AtLeastOnce::new(Watch)).await?)
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_else(|| "watcher".to_owned());
    service_runtime::main(contracts::APPLICATION, name.leak(), env!("CARGO_PKG_VERSION"), run)
}
