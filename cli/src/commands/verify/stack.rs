//! A scratch stack: created, awaited, and removed in whatever state it is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_cloudformation::types::{
    Capability, OnFailure, Parameter, ResourceStatus, Stack as Description, StackStatus, Tag,
};
use tokio::sync::Mutex;

use super::leftover::{self, Leftover};
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

impl From<NotBegun> for anyhow::Error {
    fn from(why: NotBegun) -> Self {
        match why {
            NotBegun::Refused(error) | NotBegun::InPart(error) => error,
        }
    }
}

/// How a creation ended.
#[derive(Debug)]
pub(super) enum Settled {
    Created,
    NotCreated {
        status: String,
        /// The resources that failed, and why.
        reasons: String,
    },
}

/// Whether resources failed because the caller may not create them, which says nothing about the resources.
pub(super) fn is_denied(reasons: &str) -> bool {
    ["not authorized", "AccessDenied", "UnauthorizedOperation"].iter().any(|word| reasons.contains(word))
}

#[derive(Debug)]
pub(super) struct Stack {
    client: Client,
    config: SdkConfig,
    name: String,
    environment: String,
    template: String,
    /// Whether its resources outlive it unless its creation is rolled back.
    retains: bool,
    requested: Mutex<Requested>,
}

/// What was requested for a stack so far.
#[derive(Debug, Default)]
struct Requested {
    creation: bool,
    removal: bool,
    /// Whether nothing is left of it.
    removed: bool,
    /// Known once the creation was answered. A deleted stack can be described only by its id.
    id: Option<String>,
}

impl Stack {
    pub(super) fn new(config: &SdkConfig, name: &str, environment: &str, template: String) -> Self {
        Self {
            client: Client::new(config),
            config: config.clone(),
            name: name.to_owned(),
            environment: environment.to_owned(),
            template,
            retains: false,
            requested: Mutex::default(),
        }
    }

    /// Marks the resources as outliving the stack unless its creation is rolled back. The removal then waits for the
    /// rollback, and removes what it left.
    pub(super) fn retaining(self) -> Self {
        Self { retains: true, ..self }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Requests the creation of the stack. An interruption does not interrupt the request, so that the removal knows of
    /// the stack.
    ///
    /// # Errors
    /// When the request is refused, or not answered.
    pub(super) async fn begin(self: &Arc<Self>) -> Result<(), NotBegun> {
        let stack = Arc::clone(self);
        let request = tokio::spawn(async move { stack.request().await });
        request.await.unwrap_or_else(|error| Err(NotBegun::InPart(error.into())))
    }

    async fn request(&self) -> Result<(), NotBegun> {
        let mut requested = self.requested.lock().await;
        if requested.removal {
            return Err(NotBegun::Refused(anyhow!("stack {} is not wanted any more", self.name)));
        }
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
                (requested.creation, requested.id) = (true, answer.stack_id);
                Ok(())
            }
            Err(error) => {
                let refused = matches!(error, SdkError::ServiceError(_) | SdkError::ConstructionFailure(_));
                requested.creation = !refused;
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
        match self.settled().await? {
            Settled::Created => Ok(()),
            Settled::NotCreated { reasons, .. } => {
                let message = format!("stack {} could not be created: {reasons}", self.name);
                Err(Failure::unavailable(message).into())
            }
        }
    }

    /// Waits until the creation has ended, including a rollback.
    ///
    /// # Errors
    /// When it does not end in time, or cannot be followed.
    pub(super) async fn settled(&self) -> anyhow::Result<Settled> {
        let mut patience = Patience::of(READY_WITHIN);
        loop {
            let status = self.status().await?;
            match Creation::of(status.as_ref()) {
                Creation::Done => return Ok(Settled::Created),
                Creation::Failed => {
                    let reasons = self.reasons(&ResourceStatus::CreateFailed).await;
                    let status = status.map_or_else(|| "GONE".to_owned(), |status| status.to_string());
                    return Ok(Settled::NotCreated { status, reasons });
                }
                Creation::UnderWay if patience.pause().await => {}
                Creation::UnderWay => {
                    let message = format!("stack {} was not created within {READY_WITHIN:?}", self.name);
                    return Err(Failure::unavailable(message).into());
                }
            }
        }
    }

    /// Returns the resources that outlive the stack.
    ///
    /// # Errors
    /// When CloudFormation does not list them.
    pub(super) async fn left(&self) -> anyhow::Result<Vec<Leftover>> {
        let id = self.id_or_name().await;
        let mut pages = self.client.list_stack_resources().stack_name(id).into_paginator().items().send();
        let mut left = Vec::new();
        while let Some(resource) = pages.next().await {
            let resource =
                resource.map_err(|error| failed(&format!("ListStackResources of {}", self.name), error))?;
            if resource.resource_status() == Some(&ResourceStatus::DeleteSkipped) {
                left.push(Leftover {
                    kind: resource.resource_type().unwrap_or_default().to_owned(),
                    id: resource.physical_resource_id().unwrap_or_default().to_owned(),
                });
            }
        }
        Ok(left)
    }

    /// Removes the stack, if its creation was requested, and waits for the removal. From then on, it is not created any
    /// more.
    ///
    /// # Errors
    /// When something is left, with the resources and the reasons.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        {
            let mut requested = self.requested.lock().await;
            requested.removal = true;
            if !requested.creation || requested.removed {
                return Ok(());
            }
        }
        self.delete().await?;
        if self.retains {
            leftover::remove(&self.config, &self.left().await?).await?;
        }
        self.requested.lock().await.removed = true;
        Ok(())
    }

    async fn delete(&self) -> anyhow::Result<()> {
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
        let status = self.status().await?;
        if self.retains && Creation::of(status.as_ref()) == Creation::UnderWay {
            // Deleted now, its resources would be retained.
            return Ok(Removal::UnderWay);
        }
        let removal = Removal::of(status.as_ref());
        if matches!(removal, Removal::Failed | Removal::ToBeAsked) {
            let asked = self.client.delete_stack().stack_name(self.id_or_name().await).send().await;
            asked.map_err(|error| failed(&format!("DeleteStack of {}", self.name), error))?;
        }
        Ok(removal)
    }

    async fn id_or_name(&self) -> String {
        self.requested.lock().await.id.clone().unwrap_or_else(|| self.name.clone())
    }

    /// Returns the stack's status, or `None` if it does not exist.
    async fn status(&self) -> anyhow::Result<Option<StackStatus>> {
        let described = self.client.describe_stacks().stack_name(self.id_or_name().await).send().await;
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
        let id = self.id_or_name().await;
        let mut pages = self.client.describe_stack_events().stack_name(id).into_paginator().items().send();
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
