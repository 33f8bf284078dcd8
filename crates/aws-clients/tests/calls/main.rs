//! Calls of real SDK clients to a server on this host.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; the lint exempts only the test functions themselves"
)]

mod aws;
mod direct;
mod limits;
mod tracing;
