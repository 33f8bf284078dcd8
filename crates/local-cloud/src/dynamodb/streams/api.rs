//! The API of DynamoDB Streams.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::record::{self, Record};
use super::{Stream, Streams};
use crate::reply::AwsError;

/// How long an iterator is valid (API reference, `GetShardIterator`).
const ITERATOR_VALID_MS: i64 = 15 * 60 * 1_000;
/// `GetRecords` returns up to 1,000 records or 1 MB.
const MOST_RECORDS: usize = 1_000;
const MOST_BYTES: usize = 1024 * 1024;
/// `ListStreams` returns up to 100 streams, `DescribeStream` up to 100 shards.
const MOST_LISTED: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListStreams {
    table_name: Option<String>,
    limit: Option<usize>,
    exclusive_start_stream_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeStream {
    stream_arn: String,
    exclusive_start_shard_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetShardIterator {
    stream_arn: String,
    shard_id: String,
    shard_iterator_type: String,
    sequence_number: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetRecords {
    shard_iterator: String,
    limit: Option<usize>,
}

impl Streams {
    /// Answers an operation, or returns `None` for one that the service does not have.
    pub(in crate::dynamodb) fn answer(
        &self,
        operation: &str,
        input: Value,
    ) -> Option<Result<Value, AwsError>> {
        Some(match operation {
            "ListStreams" => read(input).map(|input| self.list(&input)),
            "DescribeStream" => read(input).and_then(|input| self.describe(&input)),
            "GetShardIterator" => read(input).and_then(|input| self.iterator(&input)),
            "GetRecords" => read(input).and_then(|input| self.records(&input)),
            _ => return None,
        })
    }

    fn list(&self, input: &ListStreams) -> Value {
        let most = input.limit.unwrap_or(MOST_LISTED).clamp(1, MOST_LISTED);
        let streams = self.lock();
        let mut listed = streams
            .iter()
            .filter(|(_, stream)| input.table_name.as_ref().is_none_or(|name| *name == stream.table))
            .filter(|(arn, _)| input.exclusive_start_stream_arn.as_ref().is_none_or(|start| *arn > start));
        let mut last = None;
        let page: Vec<_> = listed
            .by_ref()
            .take(most)
            .map(|(arn, stream)| {
                last = Some(arn.clone());
                json!({"StreamArn": arn, "TableName": stream.table, "StreamLabel": stream.label})
            })
            .collect();
        let mut output = json!({"Streams": page});
        if listed.next().is_some() {
            output["LastEvaluatedStreamArn"] = last.into();
        }
        output
    }

    fn describe(&self, input: &DescribeStream) -> Result<Value, AwsError> {
        let streams = self.lock();
        let stream = streams.get(&input.stream_arn).ok_or_else(|| no_stream(&input.stream_arn))?;
        let mut description = json!({
            "StreamArn": input.stream_arn,
            "StreamLabel": stream.label,
            "StreamStatus": if stream.enabled { "ENABLED" } else { "DISABLED" },
            "StreamViewType": stream.view.name(),
            "TableName": stream.table,
            "KeySchema": stream.key_schema,
            "CreationRequestDateTime": seconds(stream.created),
            "Shards": [],
        });
        if input.exclusive_start_shard_id.is_none() {
            description["Shards"] = json!([stream.shard()]);
        }
        Ok(json!({"StreamDescription": description}))
    }

    fn iterator(&self, input: &GetShardIterator) -> Result<Value, AwsError> {
        let streams = self.lock();
        let stream = streams.get(&input.stream_arn).ok_or_else(|| no_stream(&input.stream_arn))?;
        if input.shard_id != stream.shard_id() {
            return Err(not_found(format!(
                "Requested resource not found: Shard: {} in Stream: {} not found",
                input.shard_id, input.stream_arn
            )));
        }
        let log = &stream.log;
        let named = || {
            let number = input.sequence_number.as_deref().ok_or_else(|| {
                invalid("One or more parameter values were invalid: SequenceNumber cannot be null")
            })?;
            // The shard starts before its first record.
            let position = if number == record::sequence_number_before() {
                Some(None)
            } else {
                record::position(number).filter(|position| *position < log.end()).map(Some)
            };
            let position = position.ok_or_else(|| invalid("Invalid SequenceNumber for the shard"))?;
            if position.unwrap_or_default() < log.first() {
                return Err(trimmed());
            }
            Ok(position)
        };
        let unnamed = || match input.sequence_number {
            None => Ok(()),
            Some(_) => Err(invalid(
                "One or more parameter values were invalid: SequenceNumber should not be passed for this iterator type",
            )),
        };
        let position = match input.shard_iterator_type.as_str() {
            "TRIM_HORIZON" => unnamed().map(|()| log.first())?,
            "LATEST" => unnamed().map(|()| log.end())?,
            "AT_SEQUENCE_NUMBER" => named()?.unwrap_or_default(),
            "AFTER_SEQUENCE_NUMBER" => named()?.map_or(0, |position| position + 1),
            other => return Err(invalid(format!("Invalid ShardIteratorType: {other}"))),
        };
        Ok(json!({"ShardIterator": Iterator::new(&input.stream_arn, position).to_text()}))
    }

    fn records(&self, input: &GetRecords) -> Result<Value, AwsError> {
        let iterator =
            Iterator::read(&input.shard_iterator).ok_or_else(|| invalid("Invalid ShardIterator"))?;
        let streams = self.lock();
        let stream = streams.get(iterator.arn).ok_or_else(|| no_stream(iterator.arn))?;
        if Timestamp::now().as_millisecond() - iterator.issued_ms > ITERATOR_VALID_MS {
            return Err(AwsError::bad_request(
                "ExpiredIteratorException",
                "The shard iterator has expired. Shard iterators are only valid for 15 minutes",
            ));
        }
        if iterator.position < stream.log.first() {
            return Err(trimmed());
        }
        let most = input.limit.unwrap_or(MOST_RECORDS).clamp(1, MOST_RECORDS);
        let found = stream.log.read(iterator.position, most);
        let (enabled, end) = (stream.enabled, stream.log.end());
        drop(streams);

        let mut records = Vec::with_capacity(found.len());
        let mut bytes = 0;
        for record in found {
            bytes += record.bytes();
            if bytes > MOST_BYTES && !records.is_empty() {
                break;
            }
            records.push(self.written_out(&record)?);
        }
        let next = iterator.position + records.len() as u64;
        let mut output = json!({"Records": records});
        // A shard that is closed and read to its end has no next iterator.
        if enabled || next < end {
            output["NextShardIterator"] = Iterator::new(iterator.arn, next).to_text().into();
        }
        Ok(output)
    }

    fn written_out(&self, record: &Record) -> Result<Value, AwsError> {
        let mut value = record.to_value(self.region()).map_err(|error| {
            tracing::error!(%error, "a stream record could not be read");
            AwsError::new(
                http::StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "Internal server error",
            )
        })?;
        if record.is_by_time_to_live() {
            value["userIdentity"] = json!({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"});
        }
        Ok(value)
    }
}

impl Stream {
    fn shard(&self) -> Value {
        let mut range = json!({"StartingSequenceNumber": record::sequence_number_before()});
        if !self.enabled {
            let last = self.log.end().checked_sub(1);
            range["EndingSequenceNumber"] =
                last.map_or_else(record::sequence_number_before, record::sequence_number).into();
        }
        json!({"ShardId": self.shard_id(), "SequenceNumberRange": range})
    }
}

/// A position in a stream, in the form of AWS's iterators: the ARN, a number and something opaque.
#[derive(Debug, PartialEq, Eq)]
struct Iterator<'a> {
    arn: &'a str,
    position: u64,
    issued_ms: i64,
}

impl<'a> Iterator<'a> {
    fn new(arn: &'a str, position: u64) -> Self {
        Self { arn, position, issued_ms: Timestamp::now().as_millisecond() }
    }

    fn to_text(&self) -> String {
        let opaque = BASE64_STANDARD.encode(format!("{} {}", self.position, self.issued_ms));
        format!("{}|1|{opaque}", self.arn)
    }

    fn read(text: &'a str) -> Option<Self> {
        let (arn, opaque) = text.split_once("|1|")?;
        let opaque = String::from_utf8(BASE64_STANDARD.decode(opaque).ok()?).ok()?;
        let (position, issued_ms) = opaque.split_once(' ')?;
        Some(Self { arn, position: position.parse().ok()?, issued_ms: issued_ms.parse().ok()? })
    }
}

fn read<T: DeserializeOwned>(input: Value) -> Result<T, AwsError> {
    serde_json::from_value(input)
        .map_err(|error| AwsError::bad_request("SerializationException", error.to_string()))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit exactly")]
fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1_000.0
}

fn no_stream(arn: &str) -> AwsError {
    not_found(format!("Requested resource not found: Stream: {arn} not found"))
}

fn not_found(message: String) -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", message)
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationException", message)
}

fn trimmed() -> AwsError {
    AwsError::bad_request(
        "TrimmedDataAccessException",
        "The operation attempted to read past the oldest stream record in a shard",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iterator_is_read_back_and_anything_else_refused() {
        let arn = "arn:aws:dynamodb:eu-central-1:000000000000:table/t/stream/2026-01-01T00:00:00.000";
        let iterator = Iterator { arn, position: 3, issued_ms: 1_700_000_000_000 };
        assert_eq!(Iterator::read(&iterator.to_text()), Some(iterator));
        for text in ["", "a|1|", "a|1|!", "a|2|MSAy", &format!("{arn}|1|MQ==")] {
            assert_eq!(Iterator::read(text), None, "{text}");
        }
    }
}
