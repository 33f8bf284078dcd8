//! The wallet service as a separate process.

use std::process::ExitCode;

/// Spans, messages and calls are many small pieces of memory that one thread takes and another frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service_runtime::main(contracts::APPLICATION, wallet::NAME, env!("CARGO_PKG_VERSION"), wallet::run)
}
