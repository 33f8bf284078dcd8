//! Sweepers against the local cloud.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod failing;
mod many;
mod sharing;
mod sweeping;
mod telling;
mod vouchers;
