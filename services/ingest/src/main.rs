//! The ingest service as a separate process.

fn main() -> std::process::ExitCode {
    service_runtime::main(contracts::APPLICATION, ingest::NAME, env!("CARGO_PKG_VERSION"), ingest::run)
}
