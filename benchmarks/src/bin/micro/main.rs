//! What single steps of an event's way cost, measured in the process that takes them: the processor time of all its threads, with
//! the export of spans and the writing of log lines.
//!
//! Each case has its turn in each round. The results are lines of the standard error, as `Case` describes them.

mod calls;
mod case;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use benchmarks::{DONE, report};
use service_runtime::{BoxError, Runtime};
use telemetry::Departures;

use crate::case::Case;

/// The allocator of the services.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service_runtime::main("benchmarks", "micro", env!("CARGO_PKG_VERSION"), measure)
}

async fn measure(runtime: Runtime) -> Result<(), BoxError> {
    let rounds: usize = runtime.environment.parse("ROUNDS", 5)?;
    let histograms = PathBuf::from(runtime.environment.required("HISTOGRAMS")?);
    // Calls first: afterwards the local cloud has a hundred thousand spans to work on.
    let mut calls = calls::cases(&runtime.aws, &histograms).await?;
    measure_all(&mut calls, rounds, &runtime.departures).await?;
    let mut steps = steps::cases()?;
    measure_all(&mut steps, rounds, &runtime.departures).await?;
    for case in steps.into_iter().chain(calls) {
        report(&serde_json::to_string(&case.result()?)?);
    }
    report(DONE);
    runtime.shutdown.cancelled().await;
    Ok(())
}

async fn measure_all(cases: &mut [Case], rounds: usize, departures: &Departures) -> anyhow::Result<()> {
    for case in cases.iter_mut() {
        case.warm_up(departures).await?;
    }
    for _ in 0..rounds {
        for case in cases.iter_mut() {
            case.round(departures).await?;
        }
    }
    Ok(())
}
