//! An entry of `PutEvents`: reading it, checking it, and turning it into an event.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::errors::{invalid, unsupported};
use super::time::written;
use crate::reply::AwsError;

/// Size of all entries of a request, as AWS counts it: fourteen bytes for a time, nothing for trace headers (EventBridge
/// user guide, "Calculating PutEvents event entry size"). It was 256 KiB until January 2026.
const MAX_BYTES: usize = 1024 * 1024;
const TIME_BYTES: usize = 14;

/// One entry. Even required fields are optional here, because a missing one fails its entry rather than the request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Entry {
    pub(crate) source: Option<String>,
    pub(crate) detail_type: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) event_bus_name: Option<String>,
    pub(crate) resources: Vec<String>,
    /// Epoch seconds with a fraction, or a string (older tools).
    pub(crate) time: Option<Value>,
    pub(crate) trace_header: Option<String>,
}

/// Why an entry was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Rejected {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn missing(field: &str) -> Self {
        Self::new(
            "InvalidArgument",
            format!("Parameter {field} is not valid. Reason: {field} is a required argument."),
        )
    }
}

/// The input of `PutEvents`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEvents {
    entries: Vec<Entry>,
    endpoint_id: Option<String>,
}

impl PutEvents {
    /// Returns the entries if the request as a whole is valid.
    pub(super) fn entries(self) -> Result<Vec<Entry>, AwsError> {
        if self.endpoint_id.is_some() {
            return Err(unsupported("global endpoints"));
        }
        if self.entries.iter().map(Entry::size).sum::<usize>() > MAX_BYTES {
            return Err(invalid("Total size of the entries in the request is over the limit."));
        }
        Ok(self.entries)
    }
}

/// An event as rules see it and targets receive it. Fields are in AWS's order, and `detail` is exactly what the producer
/// wrote.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Event {
    version: &'static str,
    pub(super) id: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    source: String,
    account: String,
    time: String,
    region: String,
    resources: Vec<String>,
    detail: Box<RawValue>,
    #[serde(skip)]
    pub(super) occurred: Timestamp,
}

/// An event of an AWS service, for the default bus.
#[derive(Clone, Debug)]
pub(crate) struct ServiceEvent {
    pub(crate) source: &'static str,
    pub(crate) detail_type: &'static str,
    /// ARNs.
    pub(crate) resources: Vec<String>,
    /// An object.
    pub(crate) detail: Value,
}

impl Event {
    pub(super) fn of_service(event: &ServiceEvent, account: &str, region: &str, now: Timestamp) -> Self {
        Self {
            version: "0",
            id: Uuid::new_v4().to_string(),
            detail_type: event.detail_type.to_owned(),
            source: event.source.to_owned(),
            account: account.to_owned(),
            time: written(now),
            region: region.to_owned(),
            resources: event.resources.clone(),
            detail: RawValue::from_string(event.detail.to_string()).unwrap_or_default(),
            occurred: now,
        }
    }

    /// Returns the event that a rule with a schedule sends to its targets.
    pub(super) fn scheduled(account: &str, region: &str, now: Timestamp, rule_arn: &str) -> Self {
        let event = ServiceEvent {
            source: "aws.events",
            detail_type: "Scheduled Event",
            resources: vec![rule_arn.to_owned()],
            detail: Value::Object(serde_json::Map::new()),
        };
        Self::of_service(&event, account, region, now)
    }

    /// Returns when the bus accepted the event, which is now: events are delivered at once.
    pub(super) fn ingestion_time() -> String {
        written(Timestamp::now())
    }
}

impl Entry {
    fn size(&self) -> usize {
        let text = |field: &Option<String>| field.as_ref().map_or(0, String::len);
        let time = if self.time.is_some() { TIME_BYTES } else { 0 };
        let resources: usize = self.resources.iter().map(String::len).sum();
        time + text(&self.source) + text(&self.detail_type) + text(&self.detail) + resources
    }

    pub(super) fn event(&self, account: &str, region: &str) -> Result<Event, Rejected> {
        let present = |field: &Option<String>, name| {
            field.clone().filter(|text| !text.is_empty()).ok_or_else(|| Rejected::missing(name))
        };
        let source = present(&self.source, "Source")?;
        let detail_type = present(&self.detail_type, "DetailType")?;
        let detail = present(&self.detail, "Detail")?;
        if source.starts_with("aws.") {
            return Err(Rejected::new("NotAuthorizedForSourceException", "Not authorized for the source."));
        }
        let malformed = || Rejected::new("MalformedDetail", "Detail is malformed.");
        let detail: Box<RawValue> = serde_json::from_str(&detail).map_err(|_| malformed())?;
        if !detail.get().starts_with('{') {
            return Err(malformed());
        }
        let occurred = self.time()?;
        Ok(Event {
            version: "0",
            id: Uuid::new_v4().to_string(),
            detail_type,
            source,
            account: account.to_owned(),
            time: written(occurred),
            region: region.to_owned(),
            resources: self.resources.clone(),
            detail,
            occurred,
        })
    }

    fn time(&self) -> Result<Timestamp, Rejected> {
        let invalid = || Rejected::new("InvalidArgument", "Parameter Time is not valid.");
        match &self.time {
            None | Some(Value::Null) => Ok(Timestamp::now()),
            Some(Value::Number(seconds)) => {
                let seconds = seconds.as_f64().ok_or_else(invalid)?;
                let since_epoch = SignedDuration::try_from_secs_f64(seconds).map_err(|_| invalid())?;
                Timestamp::from_duration(since_epoch).map_err(|_| invalid())
            }
            Some(Value::String(text)) => text.parse().map_err(|_| invalid()),
            Some(_) => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            source: Some("shop".to_owned()),
            detail_type: Some("Sold".to_owned()),
            detail: Some(r#"{ "n": 1.10 }"#.to_owned()),
            time: Some(serde_json::json!(1_763_865_600.25)),
            resources: vec!["arn:x".to_owned()],
            ..Entry::default()
        }
    }

    #[test]
    fn an_event_is_written_as_aws_writes_it() {
        let event = entry().event("000000000000", "eu-central-1").unwrap();
        let id = event.id.clone();
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            format!(
                r#"{{"version":"0","id":"{id}","detail-type":"Sold","source":"shop","account":"000000000000","time":"2025-11-23T02:40:00Z","region":"eu-central-1","resources":["arn:x"],"detail":{{ "n": 1.10 }}}}"#
            )
        );
    }

    #[test]
    fn missing_and_malformed_fields_are_reported() {
        let code = |entry: Entry| entry.event("", "").unwrap_err().code;
        assert_eq!(code(Entry { source: None, ..entry() }), "InvalidArgument");
        assert_eq!(code(Entry { detail: Some("[1]".to_owned()), ..entry() }), "MalformedDetail");
        assert_eq!(code(Entry { detail: Some("{".to_owned()), ..entry() }), "MalformedDetail");
        assert_eq!(
            code(Entry { source: Some("aws.s3".to_owned()), ..entry() }),
            "NotAuthorizedForSourceException"
        );
        assert_eq!(code(Entry { time: Some(serde_json::json!("soon")), ..entry() }), "InvalidArgument");
    }

    #[test]
    fn trace_header_does_not_count_towards_the_size() {
        let with = Entry { trace_header: Some("x".repeat(1000)), ..entry() };
        assert_eq!(with.size(), entry().size());
    }
}
