//! The wallet service as a separate process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::main(contracts::APPLICATION, wallet::NAME, env!("CARGO_PKG_VERSION"), wallet::run)
}
