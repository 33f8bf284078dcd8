//! DynamoDB and its Streams, by rustack.
//!
//! Clients are shielded from two limits of the engine: it refuses the 129th concurrent request, and in ten minutes it
//! remembers at most 1,024 `ClientRequestToken`s, which the SDKs send with every transaction.

mod request_tokens;
mod streams;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use rustack_dynamodb_core::config::DynamoDBConfig;
use rustack_dynamodb_core::handler::RustackDynamoDBHandler;
use rustack_dynamodb_core::provider::RustackDynamoDB;
use rustack_dynamodb_http::dispatch::DynamoDBHandler as _;
use rustack_dynamodb_http::response::error_to_response;
use rustack_dynamodb_model::error::DynamoDBError;
use rustack_dynamodb_model::input::TransactWriteItemsInput;
use rustack_dynamodb_model::operations::DynamoDBOperation;
use rustack_dynamodbstreams_core::handler::RustackDynamoDBStreamsHandler;
use rustack_dynamodbstreams_http::dispatch::DynamoDBStreamsHandler as _;
use rustack_dynamodbstreams_model::operations::DynamoDBStreamsOperation;
use tokio::sync::Semaphore;
use uuid::Uuid;

use self::request_tokens::RequestTokens;
pub(crate) use self::streams::Streams;
use crate::call::Call;
use crate::reply;
use crate::reply::{AwsError, Format};
use crate::settings::Settings;

/// The engine handles one operation at a time; further ones would only block threads.
const CONCURRENT_OPERATIONS: usize = 4;

#[derive(Debug)]
pub(crate) struct DynamoDb {
    engine: Arc<RustackDynamoDB>,
    handler: RustackDynamoDBHandler,
    streams: Streams,
    streams_handler: RustackDynamoDBStreamsHandler,
    tokens: Arc<RequestTokens>,
    turns: Semaphore,
}

impl DynamoDb {
    pub(crate) fn new(settings: &Settings) -> Self {
        let streams = Streams::new(settings);
        let mut engine = RustackDynamoDB::new(DynamoDBConfig {
            skip_signature_validation: true,
            default_region: settings.region.clone(),
        });
        engine.set_emitter(streams.emitter());
        engine.set_lifecycle(streams.lifecycle());
        let engine = Arc::new(engine);
        Self {
            handler: RustackDynamoDBHandler::new(Arc::clone(&engine)),
            engine,
            streams_handler: RustackDynamoDBStreamsHandler::new(streams.provider()),
            streams,
            tokens: Arc::default(),
            turns: Semaphore::new(CONCURRENT_OPERATIONS),
        }
    }

    pub(crate) fn streams(&self) -> Streams {
        self.streams.clone()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.engine.is_ready()
    }

    pub(crate) async fn answer(&self, call: &Call, format: Format<'_>) -> Response {
        let Some(operation) = DynamoDBOperation::from_name(&call.operation) else {
            return format.error(call.not_supported());
        };
        let _turn = self.turns.acquire().await;
        let result = match operation {
            DynamoDBOperation::TransactWriteItems => self.transact_write_items(call).await,
            other => self
                .handler
                .handle_operation(other, call.body.clone())
                .await
                .map(|response| response.map(Body::new)),
        };
        result.unwrap_or_else(|error| error_to_response(&error, &Uuid::new_v4().to_string()).map(Body::new))
    }

    pub(crate) async fn answer_streams(&self, call: &Call, format: Format<'_>) -> Response {
        let Some(operation) = DynamoDBStreamsOperation::from_name(&call.operation) else {
            return format.error(call.not_supported());
        };
        match self.streams_handler.handle_operation(operation, call.body.clone()).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                rustack_dynamodbstreams_http::response::error_to_response(&error, &Uuid::new_v4().to_string())
                    .map(Body::new)
            }
        }
    }

    async fn transact_write_items(&self, call: &Call) -> Result<Response, DynamoDBError> {
        let mut input: TransactWriteItemsInput = serde_json::from_slice(&call.body)
            .map_err(|error| DynamoDBError::serialization_exception(AwsError::malformed(&error).message))?;
        let token = input.client_request_token.take();
        let engine = Arc::clone(&self.engine);
        let tokens = Arc::clone(&self.tokens);
        let transaction = tokio::task::spawn_blocking(move || match token {
            Some(token) => tokens.once(token, input, |input| engine.handle_transact_write_items(input)),
            None => engine.handle_transact_write_items(input),
        });
        let output = transaction
            .await
            .map_err(|error| DynamoDBError::internal_error(error.to_string()))?
            .map_err(with_reasons_in_message)?;
        Ok(reply::json(StatusCode::OK, &output))
    }
}

/// Repeats the reasons' codes in the message, as AWS does: some clients show nothing else.
fn with_reasons_in_message(mut error: DynamoDBError) -> DynamoDBError {
    if !error.cancellation_reasons.is_empty() {
        let codes: Vec<_> = error
            .cancellation_reasons
            .iter()
            .map(|reason| reason.code.as_deref().unwrap_or("None"))
            .collect();
        error.message = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        );
    }
    error
}
