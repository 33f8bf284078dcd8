//! A running pipe: follows its stream, record by record and in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rustack_dynamodbstreams_core::storage::StreamChangeRecord;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Surroundings;
use super::definition::Definition;
use super::record::{self, PipeContext};
use crate::sqs::Outgoing;

/// Before a record is tried again: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) definition: Arc<Definition>,
    /// The next record to read. Moved on only when a record is done with, so that a stopped pipe resumes where it was.
    pub(super) position: Arc<AtomicUsize>,
    pub(super) surroundings: Surroundings,
}

/// Why a record went to the dead-letter queue, in AWS's words.
#[derive(Clone, Copy, Debug)]
enum GivenUp {
    RetriesExhausted,
    TooOld,
}

impl GivenUp {
    fn condition(self) -> &'static str {
        match self {
            Self::RetriesExhausted => "RetryAttemptsExhausted",
            Self::TooOld => "MaximumRecordAgeExceeded",
        }
    }
}

impl Pipe {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut written = self.surroundings.streams.written();
        loop {
            let from = self.position.load(Ordering::Relaxed);
            let read =
                self.surroundings.streams.read(&self.definition.source, from, self.definition.batch_size);
            let Some(batch) = read.filter(|batch| !batch.records.is_empty()) else {
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = written.changed() => if changed.is_err() { return },
                }
                continue;
            };
            for change in &batch.records {
                // Biased: a record is put whole or, when the pipe stops, again.
                tokio::select! {
                    biased;
                    () = self.pass_on(change, &batch.shard_id) => {}
                    () = stop.cancelled() => return,
                }
                self.position.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Returns when the record is on the bus, filtered out or given up. One record at a time is what AWS comes down to when
    /// it bisects a batch: a record that cannot be put holds up none but those behind it, and those until it is given up.
    async fn pass_on(&self, change: &StreamChangeRecord, shard_id: &str) {
        let record = match record::of_stream(change, &self.definition.source) {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(pipe = self.name, %error, "a record could not be read");
                return;
            }
        };
        if !self.definition.passes(&record) {
            return;
        }
        let context = PipeContext { name: &self.name, arn: &self.arn };
        let mut pause = FIRST_PAUSE;
        let mut failures = 0;
        loop {
            let code = if self.surroundings.faults.next(None, "pipes", "PutEvents").is_some() {
                "fault on demand"
            } else {
                let entry = record::to_entry(&record, &self.definition, &context);
                match self.surroundings.buses.put(&entry, None).await {
                    Ok(_) => return,
                    Err(rejected) => rejected.code,
                }
            };
            failures += 1;
            if let Some(reason) = self.given_up(change, failures) {
                tracing::warn!(
                    pipe = self.name,
                    code,
                    failures,
                    condition = reason.condition(),
                    "a record was given up"
                );
                self.bury(change, shard_id, reason, failures).await;
                return;
            }
            tracing::warn!(
                pipe = self.name,
                code,
                failures,
                "a record could not be put on the bus and is tried again"
            );
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    fn given_up(&self, change: &StreamChangeRecord, failures: u32) -> Option<GivenUp> {
        if self.definition.retries.is_some_and(|retries| failures > retries) {
            return Some(GivenUp::RetriesExhausted);
        }
        let age_s = Timestamp::now().as_second() - created(change).as_second();
        self.definition.max_age_s.is_some_and(|max| age_s > max).then_some(GivenUp::TooOld)
    }

    /// As on AWS the dead letter says where in the stream the record is, not what is in it.
    async fn bury(&self, change: &StreamChangeRecord, shard_id: &str, reason: GivenUp, failures: u32) {
        let Some(arn) = self.definition.dead_letter_arn() else { return };
        let sequence_number = &change.dynamodb.sequence_number;
        let arrived = created(change).to_string();
        let body = json!({
            "context": {
                "partnerResourceArn": self.arn,
                "condition": reason.condition(),
                "approximateInvokeCount": failures,
            },
            "version": "1.0",
            "timestamp": Timestamp::now().to_string(),
            "DDBStreamBatchInfo": {
                "shardId": shard_id,
                "startSequenceNumber": sequence_number,
                "endSequenceNumber": sequence_number,
                "approximateArrivalOfFirstRecord": arrived,
                "approximateArrivalOfLastRecord": arrived,
                "batchSize": 1,
                "streamArn": self.definition.source,
            },
        });
        let message = Outgoing { body: body.to_string(), ..Outgoing::default() };
        if let Err(error) = self.surroundings.queues.send_to(arn, message).await {
            let code = error.code.error_type();
            tracing::error!(
                pipe = self.name,
                code,
                "a record was lost: the pipe's dead-letter queue did not take it"
            );
        }
    }
}

fn created(change: &StreamChangeRecord) -> Timestamp {
    jiff::SignedDuration::try_from_secs_f64(change.dynamodb.approximate_creation_date_time)
        .ok()
        .and_then(|since_epoch| Timestamp::from_duration(since_epoch).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
