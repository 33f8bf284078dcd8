//! The e-mail service, as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::main(contracts::APPLICATION, email::NAME, env!("CARGO_PKG_VERSION"), email::run)
}
