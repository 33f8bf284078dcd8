//! A running pipe, which follows its stream record by record, in order.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::definition::Definition;
use super::record::{self, PipeContext};
use crate::dynamodb::{Reader, Record, Streams};
use crate::events::Buses;
use crate::faults::Faults;
use crate::sqs::{Outgoing, Queues};

/// Pause before the first retry of a record; it doubles with each retry, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What running pipes read from and write to.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    pub(super) streams: Streams,
    pub(super) buses: Buses,
    pub(super) queues: Queues,
    pub(super) faults: Arc<Faults>,
}

#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) definition: Arc<Definition>,
    /// It moves only when a record is done, so that a stopped pipe resumes where it was.
    pub(super) reader: Arc<Reader>,
    pub(super) connections: Connections,
}

/// Why a record was dead-lettered.
#[derive(Clone, Copy, Debug)]
enum Abandoned {
    RetriesExhausted,
    TooOld,
}

impl Abandoned {
    /// Returns AWS's name for the reason.
    fn condition(self) -> &'static str {
        match self {
            Self::RetriesExhausted => "RetryAttemptsExhausted",
            Self::TooOld => "MaximumRecordAgeExceeded",
        }
    }
}

impl Pipe {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut written = self.connections.streams.written();
        loop {
            let read = self.reader.read(self.definition.batch_size);
            let Some(batch) = read.filter(|batch| !batch.records.is_empty()) else {
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = written.changed() => if changed.is_err() { return },
                }
                continue;
            };
            for change in &batch.records {
                // Biased towards putting: a record whose put is complete is not put again after a stop.
                tokio::select! {
                    biased;
                    () = self.pass_on(change, &batch.shard_id) => {}
                    () = stop.cancelled() => return,
                }
                self.reader.took(change);
            }
        }
    }

    /// Returns when the record is on the bus, filtered out or dead-lettered. Records are put one at a time, which is what
    /// AWS arrives at when it bisects a failing batch: a record that cannot be put delays only those behind it, and only
    /// until it is dead-lettered.
    async fn pass_on(&self, change: &Record, shard_id: &str) {
        let record =
            match record::of_stream(change, &self.definition.source, self.connections.streams.region()) {
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
            let code = if self.connections.faults.affects("pipes", "PutEvents") {
                "fault on demand"
            } else {
                let entry = record::to_entry(&record, &self.definition, &context);
                match self.connections.buses.put(&entry, None).await {
                    Ok(_) => return,
                    Err(rejected) => rejected.code,
                }
            };
            failures += 1;
            if let Some(reason) = self.abandoned(change, failures) {
                tracing::warn!(
                    pipe = self.name,
                    code,
                    failures,
                    condition = reason.condition(),
                    "a record is dead-lettered"
                );
                self.dead_letter(change, shard_id, reason, failures).await;
                return;
            }
            tracing::warn!(
                pipe = self.name,
                code,
                failures,
                "a record could not be put on the bus and will be retried"
            );
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    fn abandoned(&self, change: &Record, failures: u32) -> Option<Abandoned> {
        if self.definition.retries.is_some_and(|retries| failures > retries) {
            return Some(Abandoned::RetriesExhausted);
        }
        let age_s = Timestamp::now().as_second() - change.created_s;
        self.definition.max_age_s.is_some_and(|max| age_s > max).then_some(Abandoned::TooOld)
    }

    /// Sends a dead letter that names the position of the record in the stream, not its contents, as on AWS.
    async fn dead_letter(&self, change: &Record, shard_id: &str, reason: Abandoned, failures: u32) {
        let Some(arn) = self.definition.dead_letter_arn() else { return };
        let sequence_number = change.sequence_number();
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
        if let Err(error) = self.connections.queues.send_to(arn, message).await {
            let code = error.shown_code();
            tracing::error!(
                pipe = self.name,
                code,
                "a record was lost: the pipe's dead-letter queue did not accept it"
            );
        }
    }
}

fn created(change: &Record) -> Timestamp {
    Timestamp::from_second(change.created_s).unwrap_or(Timestamp::UNIX_EPOCH)
}
