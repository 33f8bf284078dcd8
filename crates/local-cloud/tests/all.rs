//! The cloud as its clients see it: the real SDKs over HTTP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "all/calls.rs"]
mod calls;
#[path = "all/dynamodb.rs"]
mod dynamodb;
#[path = "all/dynamodb_indexes.rs"]
mod dynamodb_indexes;
#[path = "all/dynamodb_rules.rs"]
mod dynamodb_rules;
#[path = "all/dynamodb_streams.rs"]
mod dynamodb_streams;
#[path = "all/dynamodb_tables.rs"]
mod dynamodb_tables;
#[path = "all/events.rs"]
mod events;
#[path = "all/events_archive.rs"]
mod events_archive;
#[path = "all/events_rules.rs"]
mod events_rules;
#[path = "all/events_targets.rs"]
mod events_targets;
#[path = "all/faults.rs"]
mod faults;
#[path = "all/fuzz.rs"]
mod fuzz;
#[path = "all/gateway.rs"]
mod gateway;
#[path = "all/kms.rs"]
mod kms;
#[path = "all/otlp.rs"]
mod otlp;
#[path = "all/pipes.rs"]
mod pipes;
#[path = "all/pipes_strict.rs"]
mod pipes_strict;
#[path = "all/refusal.rs"]
mod refusal;
#[path = "all/s3.rs"]
mod s3;
#[path = "all/s3_buckets.rs"]
mod s3_buckets;
#[path = "all/s3_listing.rs"]
mod s3_listing;
#[path = "all/s3_strict.rs"]
mod s3_strict;
#[path = "all/ses.rs"]
mod ses;
#[path = "all/ses_events.rs"]
mod ses_events;
#[path = "all/ses_strict.rs"]
mod ses_strict;
#[path = "all/sns.rs"]
mod sns;
#[path = "all/sns_fifo.rs"]
mod sns_fifo;
#[path = "all/sns_publish.rs"]
mod sns_publish;
#[path = "all/sns_subscriptions.rs"]
mod sns_subscriptions;
#[path = "all/sns_topics.rs"]
mod sns_topics;
#[path = "all/sqs.rs"]
mod sqs;
#[path = "all/sqs_answers.rs"]
mod sqs_answers;
#[path = "all/support.rs"]
mod support;
