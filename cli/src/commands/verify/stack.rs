//! The scratch stack: created, waited for, and removed in whatever state it is.

use std::time::Duration;

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_cloudformation::types::{
    Capability, OnFailure, Parameter, ResourceStatus, Stack as Description, StackStatus, Tag,
};

use super::call::failed;
use super::patience::Patience;
use crate::failure::Failure;

/// How long CloudFormation may take to create it, in minutes; it rolls back then.
const CREATE_MINUTES: i32 = 10;
/// How long is waited for that, rolling back included.
const READY_WITHIN: Duration = Duration::from_mins(20);
/// How long removing may take.
const REMOVED_WITHIN: Duration = Duration::from_mins(20);
/// How often a removal that failed is asked for again.
const REMOVALS: u32 = 3;
/// How many questions may go without an answer meanwhile, which is some ten seconds: a connection that is lost for a
/// moment leaves nothing behind.
const ERRORS: u32 = 8;
/// How many resources' reasons are told.
const REASONS: usize = 3;

/// Why creating did not begin.
#[derive(Debug)]
pub(super) enum NotBegun {
    /// It was refused: nothing is there.
    Refused(anyhow::Error),
    /// It failed on the way: something may be there.
    InPart(anyhow::Error),
}

#[derive(Debug)]
pub(super) struct Stack {
    client: Client,
    name: String,
    environment: String,
    template: String,
    /// Known once it is asked for. A stack that is gone is found only by it.
    id: Option<String>,
}

impl Stack {
    pub(super) fn new(config: &SdkConfig, name: &str, environment: String, template: String) -> Self {
        Self { client: Client::new(config), name: name.to_owned(), environment, template, id: None }
    }

    /// Asks for the stack.
    ///
    /// # Errors
    /// When it is refused, or the answer did not come.
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
            // The SDK may repeat the request: with a token it is the same one.
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
    /// When it could not be: which resource failed and why.
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

    /// Removes the stack and waits until it is gone.
    ///
    /// # Errors
    /// When something of it is left: which resource and why.
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

    /// Asks to remove it unless that is under way. Gives what its status was before.
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

    /// None if there is no such stack.
    async fn status(&self) -> anyhow::Result<Option<StackStatus>> {
        let described = self.client.describe_stacks().stack_name(self.id_or_name()).send().await;
        match described {
            Ok(answer) => Ok(answer.stacks().first().and_then(Description::stack_status).cloned()),
            // What CloudFormation answers for a stack that is not there has no code of its own.
            Err(error)
                if error.code() == Some("ValidationError")
                    && error.message().is_some_and(|message| message.contains("does not exist")) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(&format!("DescribeStacks of {}", self.name), error)),
        }
    }

    /// The reasons of resources in this status, the first that went wrong first.
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
            // Of what was given up for another's sake nothing is to be learnt.
            if event.resource_status() == Some(status) && !reason.ends_with("cancelled") {
                reasons.push(format!("{}: {reason}", event.logical_resource_id().unwrap_or("?")));
            }
        }
        if reasons.is_empty() {
            return "CloudFormation gives no reason".to_owned();
        }
        // The latest event is told first.
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
            // Rolling back is waited for: a stack is not deleted from under it.
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
            // In the middle of creating or rolling back too: CloudFormation takes it, or is asked again.
            Some(_) => Self::ToBeAsked,
        }
    }
}

#[cfg(test)]
mod tests;
