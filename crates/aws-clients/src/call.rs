//! The span of one SDK call, covering all of its attempts.

use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_types::region::Region;
use opentelemetry::trace::Status;
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_semantic_conventions::attribute;
use telemetry::attributes;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::failure::Failure;
use crate::target::Target;

/// A call in flight. It is stored in the call's own configuration, so the span ends when that is dropped, even if the
/// future of the call is dropped before there is an outcome.
#[derive(Debug)]
pub(crate) struct Call {
    span: Span,
    /// How often it was sent before the SDK took it over.
    sent: u32,
    settled: bool,
}

impl Storable for Call {
    type Storer = StoreReplace<Self>;
}

impl Call {
    /// Starts the span of the operation in `config` under the current span; `input` says what it works on.
    pub(crate) fn start(input: &Input, config: &ConfigBag) -> Option<Self> {
        let metadata = config.load::<Metadata>()?;
        Some(Self::begin(metadata, config.load::<Region>().map(AsRef::as_ref), input))
    }

    /// Starts the span of an operation in `region` under the current span; `input` says what it works on.
    pub(crate) fn begin(metadata: &Metadata, region: Option<&str>, input: &Input) -> Self {
        let operation = metadata.name();
        let service = node_name(metadata.service());
        let name = format!("{service}.{operation}");
        let span = tracing::info_span!("aws call", otel.name = name, otel.kind = "client");
        // The deprecated names too: the X-Ray exporter recognizes an AWS node by them alone.
        span.set_attribute(attributes::RPC_SYSTEM, attributes::AWS_API);
        span.set_attribute(attribute::RPC_SYSTEM_NAME, attributes::AWS_API);
        span.set_attribute(attributes::RPC_SERVICE, service.to_owned());
        span.set_attribute(attribute::RPC_METHOD, operation.to_owned());
        if let Some(region) = region {
            span.set_attribute(attributes::AWS_REGION, region.to_owned());
        }
        let call = Self { span, sent: 0, settled: false };
        if let Some(target) = Target::of(metadata.service(), input) {
            call.on(target);
        }
        call
    }

    /// Counts an attempt, after which the SDK sends the call again.
    pub(crate) fn sent_once(mut self) -> Self {
        self.sent += 1;
        self
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Records what the call works on.
    fn on(&self, target: Target) {
        match target {
            Target::Tables(names) => {
                self.span.set_attribute(attribute::DB_SYSTEM_NAME, "aws.dynamodb");
                let names = names.into_iter().map(StringValue::from).collect();
                self.span
                    .set_attribute(attribute::AWS_DYNAMODB_TABLE_NAMES, Value::Array(Array::String(names)));
            }
            Target::Topic(arn) => self.span.set_attribute(attribute::AWS_SNS_TOPIC_ARN, arn),
            Target::Bucket(bucket, key) => {
                self.span.set_attribute(attribute::AWS_S3_BUCKET, bucket);
                if let Some(key) = key {
                    self.span.set_attribute(attribute::AWS_S3_KEY, key);
                }
            }
            Target::Queue(url) => {
                self.span.set_attribute(attribute::AWS_SQS_QUEUE_URL, url.clone());
                self.span.set_attribute(attributes::AWS_QUEUE_URL, url);
            }
        }
    }

    /// Records the outcome: how often the call was sent, and what the last response said.
    pub(crate) fn settle(
        &mut self,
        attempts: u32,
        status: Option<u16>,
        request_id: Option<String>,
        failure: Option<Failure>,
    ) {
        self.settled = true;
        let attempts = attempts.saturating_add(self.sent);
        if let Some(resent) = attempts.checked_sub(1).filter(|resent| *resent > 0) {
            self.span.set_attribute(attribute::HTTP_REQUEST_RESEND_COUNT, i64::from(resent));
            self.span.set_attribute(attributes::AWS_RETRIES, i64::from(resent));
        }
        if let Some(status) = status {
            self.span.set_attribute(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
        }
        if let Some(request_id) = request_id {
            self.span.set_attribute(attribute::AWS_REQUEST_ID, request_id);
        }
        if let Some(failure) = failure {
            self.fail(&failure, status);
        }
    }

    fn fail(&self, failure: &Failure, status: Option<u16>) {
        self.span.set_attribute(attribute::ERROR_TYPE, failure.code.clone());
        if failure.throttled {
            self.span.set_attribute(attributes::AWS_THROTTLED, true);
            if status != Some(429) {
                self.span.set_attribute(attributes::HTTP_STATUS_CODE_FOR_THROTTLE, 429);
            }
        }
        // A condition that does not hold is a regular outcome. X-Ray shows its status 400 as an error, never as a
        // fault; other backends see a span that did not fail.
        if failure.expected {
            return;
        }
        // Record only the code: a service's message can quote the item it refuses.
        self.span.add_event(
            "exception",
            vec![
                KeyValue::new(attribute::EXCEPTION_TYPE, failure.code.clone()),
                KeyValue::new(attribute::EXCEPTION_MESSAGE, failure.code.clone()),
            ],
        );
        self.span.set_status(Status::error(failure.code.clone()));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.settled {
            self.fail(&Failure::cancelled(), None);
        }
    }
}

/// Returns the value of `rpc.service`, after which X-Ray names the node: the service's own name where the SDK's name
/// contains the version of an API.
fn node_name(service: &str) -> &str {
    match service {
        "SESv2" => "SES",
        other => other,
    }
}
