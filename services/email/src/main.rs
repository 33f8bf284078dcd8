//! The e-mail service as a separate process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::main(contracts::APPLICATION, email::NAME, env!("CARGO_PKG_VERSION"), email::run)
}
