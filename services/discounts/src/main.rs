//! The discounts service as a separate process.

fn main() -> std::process::ExitCode {
    service_runtime::main(contracts::APPLICATION, discounts::NAME, env!("CARGO_PKG_VERSION"), discounts::run)
}
