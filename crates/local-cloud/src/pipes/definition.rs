//! The definition of a pipe, checked on creation: a pipe that could not run, or would ignore a part of its definition, is
//! refused rather than left to surprise.
//!
//! Lengths, ranges and patterns are those of AWS's service model, which a request satisfies before it comes here.

use event_pattern::{Dialect, Pattern};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::reply::AwsError;

const MAX_BATCH: usize = 10_000;
const DEFAULT_BATCH: usize = 100;
/// API reference, `FilterCriteria`. AWS raises it on request.
const MAX_FILTERS: usize = 5;

/// What a definition may say. Everything else that AWS's model knows is refused by name; what it does not know is ignored,
/// as on AWS.
const SUPPORTED: [(&str, &[&str]); 6] = [
    (
        "",
        &[
            "Name",
            "Description",
            "DesiredState",
            "Source",
            "SourceParameters",
            "Enrichment",
            "Target",
            "TargetParameters",
            "RoleArn",
            "Tags",
            "KmsKeyIdentifier",
        ],
    ),
    ("/SourceParameters", &["DynamoDBStreamParameters", "FilterCriteria"]),
    (
        "/SourceParameters/DynamoDBStreamParameters",
        &[
            "BatchSize",
            "DeadLetterConfig",
            "MaximumBatchingWindowInSeconds",
            "MaximumRecordAgeInSeconds",
            "MaximumRetryAttempts",
            "OnPartialBatchItemFailure",
            "ParallelizationFactor",
            "StartingPosition",
        ],
    ),
    ("/SourceParameters/FilterCriteria", &["Filters"]),
    ("/TargetParameters", &["InputTemplate", "EventBridgeEventBusParameters"]),
    ("/TargetParameters/EventBridgeEventBusParameters", &["DetailType", "Resources", "Source", "Time"]),
];

/// What AWS's model knows besides.
const UNSUPPORTED: [&str; 18] = [
    "ActiveMQBrokerParameters",
    "BatchJobParameters",
    "CloudWatchLogsParameters",
    "EcsTaskParameters",
    "EndpointId",
    "EnrichmentParameters",
    "HttpParameters",
    "KinesisStreamParameters",
    "LambdaFunctionParameters",
    "LogConfiguration",
    "ManagedStreamingKafkaParameters",
    "RabbitMQBrokerParameters",
    "RedshiftDataParameters",
    "SageMakerPipelineParameters",
    "SelfManagedKafkaParameters",
    "SqsQueueParameters",
    "StepFunctionStateMachineParameters",
    "TimestreamParameters",
];

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationException", message)
}

fn unsupported(what: &str) -> AwsError {
    tracing::warn!(what, "not supported by the local cloud's Pipes");
    invalid(format!("the local cloud does not support {what}"))
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum StartingPosition {
    #[serde(rename = "TRIM_HORIZON")]
    TrimHorizon,
    #[serde(rename = "LATEST")]
    Latest,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
enum DesiredState {
    #[default]
    #[serde(rename = "RUNNING")]
    Running,
    #[serde(rename = "STOPPED")]
    Stopped,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    source: String,
    target: String,
    #[serde(default)]
    desired_state: DesiredState,
    #[serde(default)]
    source_parameters: SourceParameters,
    #[serde(default)]
    target_parameters: TargetParameters,
    #[serde(default)]
    enrichment: String,
}

#[derive(Debug, Default, Deserialize)]
struct SourceParameters {
    #[serde(rename = "DynamoDBStreamParameters")]
    stream: Option<StreamParameters>,
    #[serde(rename = "FilterCriteria", default)]
    filter_criteria: FilterCriteria,
}

/// `OnPartialBatchItemFailure`, `ParallelizationFactor` and `MaximumBatchingWindowInSeconds` bound what AWS may do; a pipe
/// that puts record by record, at once, is within each of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamParameters {
    starting_position: Option<StartingPosition>,
    #[serde(default = "default_batch_size")]
    batch_size: usize,
    /// Retries forever if it is −1 or missing.
    maximum_retry_attempts: Option<i64>,
    maximum_record_age_in_seconds: Option<i64>,
    dead_letter_config: Option<DeadLetterConfig>,
}

fn default_batch_size() -> usize {
    DEFAULT_BATCH
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetterConfig {
    arn: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FilterCriteria {
    #[serde(default)]
    filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    #[serde(default)]
    pattern: String,
}

#[derive(Debug, Default, Deserialize)]
struct TargetParameters {
    #[serde(rename = "InputTemplate")]
    input_template: Option<String>,
    #[serde(rename = "EventBridgeEventBusParameters", default)]
    bus: BusParameters,
}

/// Each value is a literal or a path into the record.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct BusParameters {
    pub(super) source: Option<String>,
    pub(super) detail_type: Option<String>,
    pub(super) resources: Vec<String>,
    pub(super) time: Option<String>,
}

#[derive(Debug)]
pub(super) struct Definition {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) batch_size: usize,
    /// `None` retries forever.
    pub(super) retries: Option<u32>,
    pub(super) max_age_s: Option<i64>,
    filters: Vec<Pattern>,
    pub(super) template: Option<String>,
    pub(super) bus: BusParameters,
    starting_position: StartingPosition,
    dead_letter_arn: Option<String>,
    desired_state: DesiredState,
}

impl Definition {
    pub(super) fn read(request: &Value) -> Result<Self, AwsError> {
        refuse_unsupported(request)?;
        let request = Request::deserialize(request).map_err(|error| invalid(error.to_string()))?;
        if !is_stream(&request.source) {
            return Err(unsupported("sources other than streams of DynamoDB tables"));
        }
        if !is_bus(&request.target) {
            return Err(unsupported("targets other than event buses"));
        }
        if !request.enrichment.is_empty() {
            return Err(unsupported("enrichment"));
        }
        let stream = request.source_parameters.stream.ok_or_else(|| {
            invalid("DynamoDBStreamParameters is required for a DynamoDB stream as the source")
        })?;
        if !(1..=MAX_BATCH).contains(&stream.batch_size) {
            return Err(invalid(format!("BatchSize must be 1 to {MAX_BATCH}")));
        }
        let starting_position =
            stream.starting_position.ok_or_else(|| invalid("StartingPosition is required"))?;
        Ok(Self {
            source: request.source,
            target: request.target,
            batch_size: stream.batch_size,
            retries: stream.maximum_retry_attempts.and_then(|retries| u32::try_from(retries).ok()),
            max_age_s: stream.maximum_record_age_in_seconds.filter(|age| *age >= 0),
            filters: filters(&request.source_parameters.filter_criteria)?,
            template: request.target_parameters.input_template.filter(|template| !template.is_empty()),
            bus: request.target_parameters.bus,
            starting_position,
            dead_letter_arn: stream.dead_letter_config.and_then(|config| config.arn),
            desired_state: request.desired_state,
        })
    }

    pub(super) fn starting_position(&self) -> StartingPosition {
        self.starting_position
    }

    pub(super) fn dead_letter_arn(&self) -> Option<&str> {
        self.dead_letter_arn.as_deref()
    }

    pub(super) fn wants_to_run(&self) -> bool {
        self.desired_state == DesiredState::Running
    }

    /// Whether a record passes the filters: any one of them suffices, and without filters every record passes.
    pub(super) fn passes(&self, record: &Value) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(record))
    }
}

/// `arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>`
fn is_stream(arn: &str) -> bool {
    let elements: Vec<_> = arn.splitn(6, ':').collect();
    matches!(elements[..], ["arn", _, "dynamodb", _, _, resource]
        if resource.starts_with("table/") && resource.contains("/stream/"))
}

/// `arn:aws:events:<region>:<account>:event-bus/<name>`
fn is_bus(arn: &str) -> bool {
    let elements: Vec<_> = arn.splitn(6, ':').collect();
    matches!(elements[..], ["arn", _, "events", _, _, resource] if resource.starts_with("event-bus/"))
}

fn filters(criteria: &FilterCriteria) -> Result<Vec<Pattern>, AwsError> {
    if criteria.filters.len() > MAX_FILTERS {
        return Err(invalid(format!("a pipe has up to {MAX_FILTERS} filters")));
    }
    let parse = |filter: &Filter| {
        Pattern::parse(&filter.pattern, Dialect::EventBridge).map_err(|error| invalid(error.to_string()))
    };
    criteria.filters.iter().map(parse).collect()
}

fn refuse_unsupported(request: &Value) -> Result<(), AwsError> {
    for (place, supported) in SUPPORTED {
        let given = request.pointer(place).and_then(Value::as_object);
        let known = |(name, value): &(&String, &Value)| {
            !supported.contains(&name.as_str()) && UNSUPPORTED.contains(&name.as_str()) && !is_empty(value)
        };
        if let Some((name, _)) = given.unwrap_or(&Map::new()).iter().find(known) {
            return Err(unsupported(&format!("the parameter {name}")));
        }
    }
    Ok(())
}

/// Returns what `UpdatePipe` can change: not where a pipe reads, and not its tags.
pub(super) fn changes(request: &Value) -> Value {
    let mut changes = request.clone();
    for (place, fixed) in
        [("", &["Source", "Tags"][..]), ("/SourceParameters/DynamoDBStreamParameters", &["StartingPosition"])]
    {
        if let Some(members) = changes.pointer_mut(place).and_then(Value::as_object_mut) {
            members.retain(|name, _| !fixed.contains(&name.as_str()));
        }
    }
    changes
}

/// Returns a request without what AWS does not know, so that nothing else is kept.
pub(super) fn pruned(request: &Value) -> Value {
    let mut pruned = request.clone();
    for (place, supported) in SUPPORTED {
        if let Some(members) = pruned.pointer_mut(place).and_then(Value::as_object_mut) {
            members.retain(|name, _| supported.contains(&name.as_str()));
        }
    }
    pruned
}

/// Returns whether a parameter is empty, as in an `UpdatePipe` that removes a value.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request() -> Value {
        json!({
            "Name": "outbox",
            "RoleArn": "arn:aws:iam::000000000000:role/pipe",
            "Source": "arn:aws:dynamodb:eu-central-1:000000000000:table/members/stream/2026",
            "SourceParameters": {"DynamoDBStreamParameters": {
                "StartingPosition": "TRIM_HORIZON",
                "MaximumRetryAttempts": -1,
                "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
                "ParallelizationFactor": 10,
            }},
            "Target": "arn:aws:events:eu-central-1:000000000000:event-bus/loyalty",
        })
    }

    /// Returns why the request is refused once `place` has the value.
    fn refusal(place: &str, value: Value) -> String {
        let mut request = request();
        let (parent, name) = place.rsplit_once('/').unwrap();
        request.pointer_mut(parent).unwrap()[name] = value;
        let error = Definition::read(&request).unwrap_err();
        assert_eq!(error.code, "ValidationException");
        error.message
    }

    #[test]
    fn a_definition_has_awss_defaults() {
        let definition = Definition::read(&request()).unwrap();
        assert_eq!((definition.batch_size, definition.retries, definition.max_age_s), (100, None, None));
        assert!(definition.wants_to_run() && definition.passes(&json!({"eventName": "REMOVE"})));
        let mut stopped = request();
        stopped["DesiredState"] = "STOPPED".into();
        assert!(!Definition::read(&stopped).unwrap().wants_to_run());
    }

    #[test]
    fn what_would_be_ignored_is_refused_by_name() {
        for (place, value) in [
            ("/EnrichmentParameters", json!({"InputTemplate": "x"})),
            ("/LogConfiguration", json!({"Level": "INFO"})),
            ("/SourceParameters/SqsQueueParameters", json!({"BatchSize": 1})),
            ("/SourceParameters/KinesisStreamParameters", json!({"StartingPosition": "LATEST"})),
        ] {
            let name = place.rsplit('/').next().unwrap();
            assert_eq!(
                refusal(place, value),
                format!("the local cloud does not support the parameter {name}")
            );
        }
        assert!(
            refusal("/Enrichment", json!("arn:aws:lambda:eu-central-1:0:function:f")).contains("enrichment")
        );
        let lambda = json!({"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}});
        assert!(refusal("/TargetParameters", lambda).contains("LambdaFunctionParameters"));
        let endpoint = json!({"EventBridgeEventBusParameters": {"EndpointId": "a.b"}});
        assert!(refusal("/TargetParameters", endpoint).contains("EndpointId"));
        let mut harmless = request();
        harmless["LogConfiguration"] = json!({});
        harmless["NotInTheModel"] = json!(1);
        assert!(Definition::read(&harmless).is_ok());
        assert_eq!(pruned(&harmless), request());
    }

    #[test]
    fn an_update_cannot_change_where_a_pipe_reads() {
        let mut update = request();
        update["SourceParameters"]["DynamoDBStreamParameters"]["BatchSize"] = 1.into();
        let changes = changes(&update);
        assert!(changes.get("Source").is_none() && changes.get("RoleArn").is_some());
        let stream = &changes["SourceParameters"]["DynamoDBStreamParameters"];
        assert_eq!((&stream["BatchSize"], stream.get("StartingPosition")), (&json!(1), None));
    }

    #[test]
    fn only_from_streams_to_buses() {
        assert!(refusal("/Source", json!("arn:aws:sqs:eu-central-1:000000000000:q")).contains("sources"));
        assert!(
            refusal("/Source", json!("arn:aws:dynamodb:eu-central-1:0:table/members")).contains("sources")
        );
        assert!(refusal("/Target", json!("arn:aws:sqs:eu-central-1:0:q:event-bus/x")).contains("targets"));
        assert!(refusal("/SourceParameters", json!({})).contains("DynamoDBStreamParameters is required"));
        let place = "/SourceParameters/DynamoDBStreamParameters";
        assert_eq!(refusal(place, json!({})), "StartingPosition is required");
        for size in [0, 10_001] {
            let stream = json!({"StartingPosition": "LATEST", "BatchSize": size});
            assert_eq!(refusal(place, stream), "BatchSize must be 1 to 10000");
        }
    }

    #[test]
    fn filters_are_checked_and_any_of_them_suffices() {
        let filters = |patterns: &[&str]| {
            let filters: Vec<_> = patterns.iter().map(|pattern| json!({"Pattern": pattern})).collect();
            json!({"Filters": filters})
        };
        let place = "/SourceParameters/FilterCriteria";
        for wrong in ["", "no json", r#"{"eventName": "INSERT"}"#, r#"{"a": [{"unknown": 1}]}"#] {
            let refused = refusal(place, filters(&[wrong]));
            assert!(refused.starts_with("Event pattern is not valid. Reason: "), "{refused}");
        }
        assert_eq!(refusal(place, filters(&["{}"; 6])), "a pipe has up to 5 filters");
        let mut request = request();
        request["SourceParameters"]["FilterCriteria"] =
            filters(&[r#"{"eventName": ["INSERT"]}"#, r#"{"eventName": ["REMOVE"]}"#]);
        let definition = Definition::read(&request).unwrap();
        assert!(definition.passes(&json!({"eventName": "REMOVE"})));
        assert!(!definition.passes(&json!({"eventName": "MODIFY"})));
    }
}
