//! The scratch stack: created, awaited, and removed in whatever state it is.

use std::time::Duration;

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_cloudformation::types::{
    Capability, OnFailure, Parameter, ResourceStatus, Stack as Description, StackStatus, Tag,
};

use crate::aws_failure::failed;
use crate::failure::Failure;
use crate::patience::Patience;

/// The limit for CloudFormation to create the stack, in minutes, after which it rolls back.
const CREATE_MINUTES: i32 = 10;
/// The wait for that, including a rollback.
const READY_WITHIN: Duration = Duration::from_mins(20);
/// The limit for the removal.
const REMOVED_WITHIN: Duration = Duration::from_mins(20);
/// How often a failed removal is retried.
const REMOVALS: u32 = 3;
/// How many polls may fail meanwhile, which is about ten seconds, so that a brief loss of the connection leaves nothing
/// behind.
const ERRORS: u32 = 8;
/// How many resources' reasons are reported.
const REASONS: usize = 3;

/// Why the creation did not start.
#[derive(Debug)]
pub(super) enum NotBegun {
    /// The request was refused, so nothing exists.
    Refused(anyhow::Error),
    /// The request failed on the way, so something may exist.
    InPart(anyhow::Error),
}

#[derive(Debug)]
pub(super) struct Stack {
    client: Client,
    name: String,
    environment: String,
    template: String,
    /// Known once the creation was requested. A deleted stack can be described only by its id.
    id: Option<String>,
}

impl Stack {
    pub(super) fn new(config: &SdkConfig, name: &str, environment: String, template: String) -> Self {
        Self { client: Client::new(config), name: name.to_owned(), environment, template, id: None }
    }

    /// Requests the creation of the stack.
    ///
    /// # Errors
    /// When the request is refused, or not answered.
    pub(super) async fn begin(&mut self) -> Result<(), NotBegun> {
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let environment =
            Parameter::builder().parameter_key("Environment").parameter_value(&self.environment).build();
        let asked = self
            .client
            .create_stack()
            .stack_name(&self.name)
            .template_body(&self.template)
            .parameters(environment)
            .capabilities(Capability::CapabilityNamedIam)
            // The token makes a request that the SDK retries idempotent.
            .client_request_token(&self.name)
            .on_failure(OnFailure::Rollback)
            .timeout_in_minutes(CREATE_MINUTES)
            .tags(tag("application", "foostore"))
            .tags(tag("environment", &self.environment))
            .tags(tag("purpose", "verify"))
            .send()
            .await;
        match asked {
            Ok(answer) => {
                self.id = answer.stack_id;
                Ok(())
            }
            Err(error) => {
                let refused = matches!(error, SdkError::ServiceError(_) | SdkError::ConstructionFailure(_));
                let why = failed(&format!("CreateStack of {}", self.name), error);
                let error = anyhow::Error::new(Failure::unavailable(format!("{why:#}")));
                Err(if refused { NotBegun::Refused(error) } else { NotBegun::InPart(error) })
            }
        }
    }

    /// Waits until the stack is created.
    ///
    /// # Errors
    /// When it could not be created, with the resources that failed and the reasons.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        let mut patience = Patience::of(READY_WITHIN);
        loop {
            let status = self.status().await?;
            match Creation::of(status.as_ref()) {
                Creation::Done => return Ok(()),
                Creation::Failed => {
                    let reasons = self.reasons(&ResourceStatus::CreateFailed).await;
                    let message = format!("stack {} could not be created: {reasons}", self.name);
                    return Err(Failure::unavailable(message).into());
                }
                Creation::UnderWay if patience.pause().await => {}
                Creation::UnderWay => {
                    let message = format!("stack {} was not created within {READY_WITHIN:?}", self.name);
                    return Err(Failure::unavailable(message).into());
                }
            }
        }
    }

    /// Removes the stack and waits for the removal.
    ///
    /// # Errors
    /// When something is left, with the resources and the reasons.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        let mut patience = Patience::of(REMOVED_WITHIN);
        let (mut failures, mut errors) = (0, 0);
        loop {
            match self.ask_to_remove().await {
                Ok(Removal::Done) => return Ok(()),
                Ok(Removal::Failed) if failures == REMOVALS => {
                    let reasons = self.reasons(&ResourceStatus::DeleteFailed).await;
                    return Err(anyhow!("stack {} could not be removed: {reasons}", self.name));
                }
                Ok(Removal::Failed) => failures += 1,
                Ok(Removal::UnderWay | Removal::ToBeAsked) => {}
                Err(error) if errors == ERRORS => return Err(error),
                Err(_) => errors += 1,
            }
            if !patience.pause().await {
                return Err(anyhow!("stack {} was not removed within {REMOVED_WITHIN:?}", self.name));
            }
        }
    }

    /// Requests the removal unless it is in progress. Returns the state before the request.
    async fn ask_to_remove(&self) -> anyhow::Result<Removal> {
        let removal = Removal::of(self.status().await?.as_ref());
        if matches!(removal, Removal::Failed | Removal::ToBeAsked) {
            let asked = self.client.delete_stack().stack_name(self.id_or_name()).send().await;
            asked.map_err(|error| failed(&format!("DeleteStack of {}", self.name), error))?;
        }
        Ok(removal)
    }

    fn id_or_name(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }

    /// Returns the stack's status, or `None` if it does not exist.
    async fn status(&self) -> anyhow::Result<Option<StackStatus>> {
        let described = self.client.describe_stacks().stack_name(self.id_or_name()).send().await;
        match described {
            Ok(answer) => Ok(answer.stacks().first().and_then(Description::stack_status).cloned()),
            // CloudFormation has no specific error code for a stack that does not exist.
            Err(error)
                if error.code() == Some("ValidationError")
                    && error.message().is_some_and(|message| message.contains("does not exist")) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(&format!("DescribeStacks of {}", self.name), error)),
        }
    }

    /// Returns the reasons of resources with this status, in the order of their failure.
    async fn reasons(&self, status: &ResourceStatus) -> String {
        let mut pages =
            self.client.describe_stack_events().stack_name(self.id_or_name()).into_paginator().items().send();
        let mut reasons = Vec::new();
        while let Some(event) = pages.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => return format!("{:#}", failed("DescribeStackEvents", error)),
            };
            let reason = event.resource_status_reason().unwrap_or_default();
            // Resources that were cancelled because another one failed explain nothing.
            if event.resource_status() == Some(status) && !reason.ends_with("cancelled") {
                reasons.push(format!("{}: {reason}", event.logical_resource_id().unwrap_or("?")));
            }
        }
        if reasons.is_empty() {
            return "CloudFormation gives no reason".to_owned();
        }
        // CloudFormation lists the latest event first.
        reasons.reverse();
        reasons.truncate(REASONS);
        reasons.join("; ")
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Creation {
    Done,
    UnderWay,
    Failed,
}

impl Creation {
    fn of(status: Option<&StackStatus>) -> Self {
        match status {
            Some(StackStatus::CreateComplete) => Self::Done,
            // Wait for a rollback in progress before deleting the stack.
            Some(
                StackStatus::CreateInProgress
                | StackStatus::ReviewInProgress
                | StackStatus::RollbackInProgress,
            ) => Self::UnderWay,
            _ => Self::Failed,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Removal {
    Done,
    UnderWay,
    ToBeAsked,
    Failed,
}

impl Removal {
    fn of(status: Option<&StackStatus>) -> Self {
        match status {
            None | Some(StackStatus::DeleteComplete) => Self::Done,
            Some(StackStatus::DeleteInProgress) => Self::UnderWay,
            Some(StackStatus::DeleteFailed) => Self::Failed,
            // This includes a creation or rollback in progress: CloudFormation accepts the request, or it is repeated.
            Some(_) => Self::ToBeAsked,
        }
    }
}

#[cfg(test)]
mod tests;
