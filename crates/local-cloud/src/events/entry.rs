//! An entry of `PutEvents`: reading it, checking it, and turning it into an event.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::reply::AwsError;

const MAX_ENTRIES: usize = 10;
/// Size of all entries of a request, as AWS counts it: fourteen bytes for a time, nothing for trace headers (EventBridge
/// user guide, "Calculating PutEvents event entry size").
const MAX_BYTES: usize = 256 * 1024;
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

pub(super) fn read(body: &[u8]) -> Result<Vec<Entry>, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        #[serde(default)]
        entries: Vec<Entry>,
    }
    let Input { entries } = serde_json::from_slice(body).map_err(|error| AwsError::malformed(&error))?;
    let invalid = |message| Err(AwsError::new(StatusCode::BAD_REQUEST, "ValidationException", message));
    if entries.is_empty() || entries.len() > MAX_ENTRIES {
        return invalid(format!("'entries' must have 1 to {MAX_ENTRIES} members, not {}", entries.len()));
    }
    if entries.iter().map(Entry::size).sum::<usize>() > MAX_BYTES {
        return invalid("Total size of the entries in the request is over the limit.".to_owned());
    }
    Ok(entries)
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
}

impl Event {
    /// Returns when the bus accepted the event, which is now: events are delivered at once.
    pub(super) fn ingestion_time() -> String {
        Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

impl Entry {
    fn size(&self) -> usize {
        let text = |field: &Option<String>| field.as_ref().map_or(0, String::len);
        let time = if self.time.is_some() { TIME_BYTES } else { 0 };
        let resources: usize = self.resources.iter().map(String::len).sum();
        time + text(&self.source) + text(&self.detail_type) + text(&self.detail) + resources
    }

    /// Returns the name of the bus, which may be given by ARN or be the default one.
    pub(super) fn bus(&self) -> &str {
        let name = self.event_bus_name.as_deref().unwrap_or("default");
        name.rsplit_once(":event-bus/").map_or(name, |(_, name)| name)
    }

    pub(super) fn event(&self, account: &str, region: &str) -> Result<Event, Rejected> {
        let present = |field: &Option<String>, name| {
            field.clone().filter(|text| !text.is_empty()).ok_or_else(|| Rejected::missing(name))
        };
        let source = present(&self.source, "Source")?;
        let detail_type = present(&self.detail_type, "DetailType")?;
        let detail = present(&self.detail, "Detail")?;
        if source.starts_with("aws.") {
            return Err(Rejected::new(
                "NotAuthorizedForSourceException",
                "Not authorized for the source: sources that begin with 'aws.' are reserved for AWS",
            ));
        }
        let malformed = || Rejected::new("MalformedDetail", "Detail is malformed.");
        let detail: Box<RawValue> = serde_json::from_str(&detail).map_err(|_| malformed())?;
        if !detail.get().starts_with('{') {
            return Err(malformed());
        }
        Ok(Event {
            version: "0",
            id: Uuid::new_v4().to_string(),
            detail_type,
            source,
            account: account.to_owned(),
            time: self.time()?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            region: region.to_owned(),
            resources: self.resources.clone(),
            detail,
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

    #[test]
    fn bus_is_named_or_given_by_arn() {
        let on = |bus: &str| Entry { event_bus_name: Some(bus.to_owned()), ..entry() };
        assert_eq!(on("b").bus(), "b");
        assert_eq!(on("arn:aws:events:eu-central-1:000000000000:event-bus/b").bus(), "b");
        assert_eq!(entry().bus(), "default");
    }
}
