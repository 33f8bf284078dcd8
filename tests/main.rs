//! The layer as its users run it: the real binary, one process a service, AWS SDK calls over HTTP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod architecture;
mod archive;
mod bounces;
mod chaos;
mod ci;
mod circles;
mod cloud;
mod collector;
mod commands;
mod compose;
mod dashboards;
mod dead_letters;
mod discounts;
mod documents;
mod erasure;
mod faults;
mod foreign;
mod hanging;
mod headers;
mod killed;
mod logs;
mod mails;
mod metrics;
mod misconfigured;
mod new_service;
mod outbox;
mod poison;
mod pushes;
mod replay;
mod replayed;
mod reserved;
mod restart;
mod rewards;
mod roles;
mod runs;
mod schemas;
mod soak;
mod source;
mod tee;
mod telemetry_docs;
mod thirty;
mod traces;
mod wallet;
mod world;
