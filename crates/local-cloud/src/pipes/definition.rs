//! The definition of a pipe, checked on creation: a pipe that could not run is refused rather than left idle.

use rustack_events_core::pattern::{self, EventPattern};
use serde::Deserialize;
use serde_json::Value;

use crate::reply::AwsError;

const MAX_BATCH: usize = 10_000;

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationException", message)
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum StartingPosition {
    #[serde(rename = "TRIM_HORIZON")]
    TrimHorizon,
    #[serde(rename = "LATEST")]
    Latest,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    source: String,
    target: String,
    #[serde(default)]
    desired_state: Option<String>,
    source_parameters: SourceParameters,
    #[serde(default)]
    target_parameters: TargetParameters,
    #[serde(default)]
    enrichment: Option<String>,
}

#[derive(Debug, Deserialize)]
struct SourceParameters {
    #[serde(rename = "DynamoDBStreamParameters")]
    stream: Option<StreamParameters>,
    #[serde(rename = "FilterCriteria", default)]
    filter_criteria: FilterCriteria,
}

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
    100
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
    pub(super) filters: Vec<EventPattern>,
    pub(super) template: Option<String>,
    pub(super) bus: BusParameters,
    starting_position: StartingPosition,
    dead_letter_arn: Option<String>,
    runs: bool,
}

impl Definition {
    pub(super) fn read(request: &Value) -> Result<Self, AwsError> {
        let request = Request::deserialize(request).map_err(|error| invalid(error.to_string()))?;
        if !request.target.contains(":event-bus/") {
            return Err(invalid("the local cloud pipes to event buses only"));
        }
        if request.enrichment.is_some_and(|enrichment| !enrichment.is_empty()) {
            return Err(invalid("the local cloud does not support enrichment"));
        }
        let stream = request
            .source_parameters
            .stream
            .ok_or_else(|| invalid("the local cloud pipes from DynamoDB streams only"))?;
        if stream.batch_size == 0 || stream.batch_size > MAX_BATCH {
            return Err(invalid(format!("BatchSize must be 1 to {MAX_BATCH}")));
        }
        let starting_position =
            stream.starting_position.ok_or_else(|| invalid("StartingPosition is required"))?;
        let filters = request
            .source_parameters
            .filter_criteria
            .filters
            .iter()
            .map(|filter| {
                pattern::parse_event_pattern(&filter.pattern).map_err(|error| invalid(error.to_string()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            source: request.source,
            target: request.target,
            batch_size: stream.batch_size,
            retries: stream.maximum_retry_attempts.and_then(|retries| u32::try_from(retries).ok()),
            max_age_s: stream.maximum_record_age_in_seconds.filter(|age| *age >= 0),
            filters,
            template: request.target_parameters.input_template.filter(|template| !template.is_empty()),
            bus: request.target_parameters.bus,
            starting_position,
            dead_letter_arn: stream.dead_letter_config.and_then(|config| config.arn),
            runs: request.desired_state.is_none_or(|state| state == "RUNNING"),
        })
    }

    pub(super) fn starting_position(&self) -> StartingPosition {
        self.starting_position
    }

    pub(super) fn dead_letter_arn(&self) -> Option<&str> {
        self.dead_letter_arn.as_deref()
    }

    pub(super) fn wants_to_run(&self) -> bool {
        self.runs
    }

    /// Whether a record passes the filters: any one of them suffices, and without filters every record passes.
    pub(super) fn passes(&self, record: &Value) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| pattern::matches(filter, record))
    }
}
