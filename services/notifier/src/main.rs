//! The notifier service, as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::main(contracts::APPLICATION, notifier::NAME, env!("CARGO_PKG_VERSION"), notifier::run)
}
