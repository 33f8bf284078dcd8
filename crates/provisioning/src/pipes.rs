//! Pipes from a table's stream to the bus.

use std::collections::BTreeMap;

use aws_sdk_pipes::Client;
use aws_sdk_pipes::types::{
    DeadLetterConfig, DynamoDbStreamStartPosition, Filter, FilterCriteria, OnPartialBatchItemFailureStreams,
    PipeSourceDynamoDbStreamParameters, PipeSourceParameters, PipeTargetEventBridgeEventBusParameters,
    PipeTargetParameters, UpdatePipeSourceParameters,
};
use topology::Pipe;

use crate::ProvisionError;
use crate::error::{call, known};

pub(crate) async fn create(
    client: &Client,
    pipes: &[Pipe],
    stream_arns: &BTreeMap<String, String>,
    queue_arns: &BTreeMap<String, String>,
    bus_arn: &str,
) -> Result<(), ProvisionError> {
    for pipe in pipes {
        let created = client
            .create_pipe()
            .name(&pipe.name)
            .description(Pipe::DESCRIPTION)
            .source(known(stream_arns, &pipe.table)?)
            .source_parameters(source(pipe, queue_arns)?)
            .target(bus_arn)
            .target_parameters(target(pipe))
            .role_arn(role_arn(bus_arn, &pipe.name))
            .send()
            .await;
        match created {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conflict_exception()) => {
                update(client, pipe, bus_arn).await?;
            }
            Err(error) => return Err(call("CreatePipe", &pipe.name, error)),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Brings an existing Pipe up to date: an earlier version may have created it with another filter, by which it would pass
/// announcements over. Its source cannot be changed.
async fn update(client: &Client, pipe: &Pipe, bus_arn: &str) -> Result<(), ProvisionError> {
    let updated = client
        .update_pipe()
        .name(&pipe.name)
        .source_parameters(UpdatePipeSourceParameters::builder().filter_criteria(filter(pipe)).build())
        .target_parameters(target(pipe))
        .role_arn(role_arn(bus_arn, &pipe.name))
        .send()
        .await;
    updated.map(drop).map_err(|error| call("UpdatePipe", &pipe.name, error))
}

fn filter(pipe: &Pipe) -> FilterCriteria {
    let filter = Filter::builder().pattern(pipe.filter_pattern.to_string()).build();
    FilterCriteria::builder().filters(filter).build()
}

fn source(
    pipe: &Pipe,
    queue_arns: &BTreeMap<String, String>,
) -> Result<PipeSourceParameters, ProvisionError> {
    let stream = PipeSourceDynamoDbStreamParameters::builder()
        .starting_position(DynamoDbStreamStartPosition::from(Pipe::STARTING_POSITION))
        .batch_size(i32::try_from(pipe.batch_size).unwrap_or(i32::MAX))
        .maximum_retry_attempts(i32::try_from(pipe.maximum_retry_attempts).unwrap_or(i32::MAX))
        .parallelization_factor(i32::try_from(pipe.parallelization_factor).unwrap_or(i32::MAX))
        .on_partial_batch_item_failure(OnPartialBatchItemFailureStreams::from(
            Pipe::ON_PARTIAL_BATCH_ITEM_FAILURE,
        ))
        .dead_letter_config(
            DeadLetterConfig::builder().arn(known(queue_arns, &pipe.dead_letter_queue)?).build(),
        )
        .build()
        .map_err(|error| call("CreatePipe", &pipe.name, error))?;
    Ok(PipeSourceParameters::builder()
        .dynamo_db_stream_parameters(stream)
        .filter_criteria(filter(pipe))
        .build())
}

fn target(pipe: &Pipe) -> PipeTargetParameters {
    PipeTargetParameters::builder()
        .event_bridge_event_bus_parameters(
            PipeTargetEventBridgeEventBusParameters::builder()
                .source(&pipe.target.source)
                .detail_type(&pipe.target.detail_type)
                .build(),
        )
        .input_template(&pipe.target.input_template)
        .build()
}

/// Returns the ARN of the role named like the Pipe, in the bus's account. Emulators require one.
fn role_arn(bus_arn: &str, pipe: &str) -> String {
    let account = bus_arn.split(':').nth(4).unwrap_or_default();
    format!("arn:aws:iam::{account}:role/{pipe}")
}
