//! The rewards service as a separate process.

use std::process::ExitCode;

use rewards::{NAME, run};

fn main() -> ExitCode {
    service_runtime::main(contracts::APPLICATION, NAME, env!("CARGO_PKG_VERSION"), run)
}
