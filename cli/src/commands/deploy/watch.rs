//! Watches an operation of CloudFormation to its end.

use std::time::Duration;

use anyhow::anyhow;
use aws_sdk_cloudformation::types::StackStatus;

use super::cloud::CloudFormation;
use super::events::Event;
use super::status::Outcome;
use crate::failure::Failure;
use crate::patience::Patience;

/// The limit for an operation. CloudFormation gives an ECS service three hours to become stable, and the rollback as long.
const WATCHED_FOR: Duration = Duration::from_hours(7);
/// How many polls may fail in a row, which is about ten seconds and more: the operation goes on meanwhile.
const ERRORS: u32 = 8;

/// Prints the events of an operation until it ends. Returns whether it succeeded, and its events.
///
/// # Errors
/// When CloudFormation cannot be reached for long, or the operation takes too long.
pub(super) async fn watched(
    cloud: &CloudFormation,
    stack: &str,
    before: Option<String>,
    say: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<(bool, Vec<Event>)> {
    let mut patience = Patience::of(WATCHED_FOR);
    let mut operation = Vec::new();
    let mut last = before;
    let mut errors = 0;
    let mut ended = None;
    loop {
        match poll(cloud, stack, &mut last, &mut operation, say).await {
            // The events that follow the status are read once more.
            Ok(_) if ended.is_some() => break,
            // A status from before the operation does not count.
            Ok(Outcome::UnderWay) => errors = 0,
            Ok(_) if operation.is_empty() => errors = 0,
            Ok(outcome) => {
                ended = Some(outcome);
                continue;
            }
            Err(error) if errors == ERRORS => return Err(error),
            Err(_) => errors += 1,
        }
        if !patience.pause().await {
            return Err(
                Failure::unavailable(format!("stack {stack} was not ready within {WATCHED_FOR:?}")).into()
            );
        }
    }
    Ok((ended == Some(Outcome::Done), operation))
}

async fn poll(
    cloud: &CloudFormation,
    stack: &str,
    last: &mut Option<String>,
    operation: &mut Vec<Event>,
    say: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<Outcome> {
    // The status is read after the events, so that it is not older than they are.
    for event in cloud.events(stack, last.as_deref()).await? {
        say(&event.line());
        *last = Some(event.id.clone());
        operation.push(event);
    }
    let described = cloud.stack(stack).await?;
    Ok(described.map_or(Outcome::Failed, |described| Outcome::of(&described.status)))
}

/// Removes a stack and waits for that.
///
/// # Errors
/// When it cannot be removed, or CloudFormation cannot be reached.
pub(super) async fn removed(cloud: &CloudFormation, id: &str) -> anyhow::Result<()> {
    cloud.delete_stack(id).await?;
    let mut patience = Patience::of(WATCHED_FOR);
    while patience.pause().await {
        match cloud.stack(id).await?.map(|described| described.status) {
            None | Some(StackStatus::DeleteComplete) => return Ok(()),
            Some(StackStatus::DeleteFailed) => {
                return Err(anyhow!("stack {id} could not be removed; deploy again to see why"));
            }
            Some(_) => {}
        }
    }
    Err(Failure::unavailable(format!("stack {id} was not removed within {WATCHED_FOR:?}")).into())
}
