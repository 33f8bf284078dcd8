//! The membership service as a separate process.

/// Spans, messages and calls are many small pieces of memory that one thread takes and another frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    service_runtime::main(
        contracts::APPLICATION,
        membership::NAME,
        env!("CARGO_PKG_VERSION"),
        membership::run,
    )
}
