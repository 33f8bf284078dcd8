//! The rewards service as a separate process.

use std::process::ExitCode;

/// Spans, messages and calls are many small pieces of memory that one thread takes and another frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use rewards::{NAME, run};

fn main() -> ExitCode {
    service_runtime::main(contracts::APPLICATION, NAME, env!("CARGO_PKG_VERSION"), run)
}
