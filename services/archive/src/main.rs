//! The archive as a separate process.

fn main() -> std::process::ExitCode {
    service_runtime::main(contracts::APPLICATION, archive::NAME, env!("CARGO_PKG_VERSION"), archive::run)
}
