//! The membership service as a separate process.

fn main() -> std::process::ExitCode {
    service_runtime::main(
        contracts::APPLICATION,
        membership::NAME,
        env!("CARGO_PKG_VERSION"),
        membership::run,
    )
}
