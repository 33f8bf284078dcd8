//! The app's service as a separate process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::main(contracts::APPLICATION, app::NAME, env!("CARGO_PKG_VERSION"), app::run)
}
