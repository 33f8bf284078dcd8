//! The cloud as its clients see it: the real SDKs over HTTP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "all/calls.rs"]
mod calls;
#[path = "all/dynamodb.rs"]
mod dynamodb;
#[path = "all/events.rs"]
mod events;
#[path = "all/faults.rs"]
mod faults;
#[path = "all/fuzz.rs"]
mod fuzz;
#[path = "all/gateway.rs"]
mod gateway;
#[path = "all/pipes.rs"]
mod pipes;
#[path = "all/ses.rs"]
mod ses;
#[path = "all/sns.rs"]
mod sns;
#[path = "all/sqs.rs"]
mod sqs;
#[path = "all/sqs_answers.rs"]
mod sqs_answers;
#[path = "all/support.rs"]
mod support;
