//! The notifier service as a separate process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::main(contracts::APPLICATION, notifier::NAME, env!("CARGO_PKG_VERSION"), notifier::run)
}
