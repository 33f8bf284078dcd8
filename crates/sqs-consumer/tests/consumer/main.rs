//! Tests of the consumer under paused time, on an in-memory queue.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod bench;
mod blame;
mod fake_queue;
mod receiving;
mod retrying;
mod settling;
mod shutting_down;
mod sqs;
mod telemetry_of_a_hop;
mod thrifty;
mod visibility;
