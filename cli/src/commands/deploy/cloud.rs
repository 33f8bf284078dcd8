//! CloudFormation as deploying needs it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetStatus, ChangeSetType, Parameter, ParameterDeclaration, StackEvent, StackStatus, Tag,
};
use uuid::Uuid;

use super::changes::PlannedChange;
use super::events::Event;
use super::parameters::{Choice, Choices, Declared};
use super::stacks::Stack;
use crate::aws_failure::failed;

/// The most events of a stack that are read to find the beginning of its last operation.
const MOST_EVENTS: usize = 2_000;

/// CloudFormation in one account and region.
#[derive(Debug, Clone)]
pub(crate) struct CloudFormation {
    client: Client,
}

/// A stack as CloudFormation describes it.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    /// Also identifies the stack once it is deleted.
    pub(crate) id: String,
    pub(crate) status: StackStatus,
    pub(crate) parameters: BTreeMap<String, String>,
}

/// A change set, by the ids of itself and its stack.
#[derive(Debug, Clone)]
pub(crate) struct ChangeSet {
    pub(crate) id: String,
    pub(crate) stack: String,
}

/// What became of a change set's creation.
#[derive(Debug, Clone)]
pub(crate) enum Review {
    UnderWay,
    Unchanged,
    Ready(Vec<PlannedChange>),
    Failed(String),
}

impl CloudFormation {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// Describes a stack by its name or id; returns `None` if it does not exist.
    ///
    /// # Errors
    /// When CloudFormation cannot be reached or refuses the call.
    pub(crate) async fn stack(&self, name: &str) -> anyhow::Result<Option<Described>> {
        let answer = match self.client.describe_stacks().stack_name(name).send().await {
            Ok(answer) => answer,
            // There is no specific error code for a stack that does not exist.
            Err(error)
                if error.code() == Some("ValidationError")
                    && error.message().is_some_and(|message| message.contains("does not exist")) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(&format!("DescribeStacks of {name}"), error)),
        };
        let described = answer.stacks().first().and_then(|stack| {
            let value = |parameter: &Parameter| {
                Some((parameter.parameter_key()?.to_owned(), parameter.parameter_value()?.to_owned()))
            };
            Some(Described {
                id: stack.stack_id().unwrap_or(name).to_owned(),
                status: stack.stack_status()?.clone(),
                parameters: stack.parameters().iter().filter_map(value).collect(),
            })
        });
        Ok(described)
    }

    /// Returns what a template declares.
    ///
    /// # Errors
    /// When the template is not valid, or CloudFormation cannot be reached.
    pub(crate) async fn declared_by_template(&self, stack: &Stack) -> anyhow::Result<Vec<Declared>> {
        let asked = self.client.get_template_summary().template_body(&stack.template).send().await;
        let answer =
            asked.map_err(|error| failed(&format!("GetTemplateSummary of {}", stack.name), error))?;
        Ok(answer.parameters().iter().filter_map(declared).collect())
    }

    /// Returns what the template of a stack declares.
    ///
    /// # Errors
    /// When CloudFormation cannot be reached or refuses the call.
    pub(crate) async fn declared_by_stack(&self, name: &str) -> anyhow::Result<Vec<Declared>> {
        let asked = self.client.get_template_summary().stack_name(name).send().await;
        let answer = asked.map_err(|error| failed(&format!("GetTemplateSummary of {name}"), error))?;
        Ok(answer.parameters().iter().filter_map(declared).collect())
    }

    /// Requests a change set; the caller removes or executes it.
    ///
    /// # Errors
    /// When the request is refused, or not answered.
    pub(crate) async fn create_change_set(
        &self,
        stack: &Stack,
        kind: ChangeSetType,
        choices: &Choices,
        tags: &[(&str, &str)],
    ) -> anyhow::Result<ChangeSet> {
        let parameter = |(name, choice): (&String, &Choice)| {
            let parameter = Parameter::builder().parameter_key(name);
            match choice {
                Choice::Given(value) => Some(parameter.parameter_value(value).build()),
                Choice::Kept(_) => Some(parameter.use_previous_value(true).build()),
                // A parameter that is not passed takes the template's default.
                Choice::Default(_) => None,
            }
        };
        let parameters = choices.chosen.iter().filter_map(parameter).collect();
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
        let name = format!("deploy-{}", Uuid::new_v4());
        let asked = self
            .client
            .create_change_set()
            .stack_name(&stack.name)
            .change_set_name(&name)
            // Makes a request that the SDK retries idempotent.
            .client_token(&name)
            .change_set_type(kind)
            .template_body(&stack.template)
            .capabilities(Capability::CapabilityNamedIam)
            .set_parameters(Some(parameters))
            .set_tags(Some(tags))
            .send()
            .await;
        let answer = asked.map_err(|error| failed(&format!("CreateChangeSet of {}", stack.name), error))?;
        Ok(ChangeSet {
            id: answer.id().context("CreateChangeSet returned no id")?.to_owned(),
            stack: answer.stack_id().unwrap_or(&stack.name).to_owned(),
        })
    }

    /// Returns how far a change set is, and its changes.
    ///
    /// # Errors
    /// When CloudFormation cannot be reached or refuses the call.
    pub(crate) async fn review(&self, change_set: &ChangeSet) -> anyhow::Result<Review> {
        let mut changes = Vec::new();
        let mut token = None;
        loop {
            let call = self
                .client
                .describe_change_set()
                .change_set_name(&change_set.id)
                .stack_name(&change_set.stack);
            let asked = call.set_next_token(token).send().await;
            let page = asked.map_err(|error| failed("DescribeChangeSet", error))?;
            match page.status() {
                Some(ChangeSetStatus::CreateComplete) => {}
                Some(ChangeSetStatus::Failed) => {
                    let reason = page.status_reason().unwrap_or("CloudFormation gives no reason");
                    return Ok(if says_unchanged(reason) {
                        Review::Unchanged
                    } else {
                        Review::Failed(reason.to_owned())
                    });
                }
                _ => return Ok(Review::UnderWay),
            }
            changes.extend(page.changes().iter().filter_map(PlannedChange::of));
            match page.next_token() {
                Some(next) => token = Some(next.to_owned()),
                None => return Ok(Review::Ready(changes)),
            }
        }
    }

    /// Removes a change set, and a stack that consists of nothing else.
    ///
    /// # Errors
    /// When CloudFormation cannot be reached or refuses a call.
    pub(crate) async fn discard(&self, change_set: &ChangeSet) -> anyhow::Result<()> {
        let stack = &change_set.stack;
        let call = self.client.delete_change_set().change_set_name(&change_set.id).stack_name(stack);
        call.send().await.map_err(|error| failed("DeleteChangeSet", error))?;
        let described = self.stack(stack).await?;
        if described.is_none_or(|stack| stack.status != StackStatus::ReviewInProgress) {
            return Ok(());
        }
        let asked = self.client.list_change_sets().stack_name(stack).send().await;
        let others = asked.map_err(|error| failed("ListChangeSets", error))?;
        // Its removal may still be under way.
        if others.summaries().iter().any(|other| other.change_set_id() != Some(&change_set.id)) {
            return Ok(());
        }
        self.delete_stack(stack).await
    }

    /// Starts what a change set describes.
    ///
    /// # Errors
    /// When CloudFormation cannot be reached or refuses the call.
    pub(crate) async fn execute(&self, change_set: &ChangeSet) -> anyhow::Result<()> {
        let call = self
            .client
            .execute_change_set()
            .change_set_name(&change_set.id)
            .stack_name(&change_set.stack)
            .client_request_token(Uuid::new_v4().to_string());
        call.send().await.map_err(|error| failed("ExecuteChangeSet", error))?;
        Ok(())
    }

    /// Requests the removal of a stack.
    ///
    /// # Errors
    /// When CloudFormation cannot be reached or refuses the call.
    pub(crate) async fn delete_stack(&self, id: &str) -> anyhow::Result<()> {
        let asked = self.client.delete_stack().stack_name(id).send().await;
        asked.map_err(|error| failed(&format!("DeleteStack of {id}"), error))?;
        Ok(())
    }

    /// Returns a stack's events in order of time: those after the event with the id `after`, or at least those of its last
    /// operation.
    ///
    /// # Errors
    /// When CloudFormation cannot be reached or refuses the call.
    pub(crate) async fn events(&self, stack: &str, after: Option<&str>) -> anyhow::Result<Vec<Event>> {
        let mut pages = self.client.describe_stack_events().stack_name(stack).into_paginator().items().send();
        let mut events = Vec::new();
        // The latest event comes first.
        while let Some(event) = pages.next().await {
            let event = read(&event.map_err(|error| failed("DescribeStackEvents", error))?);
            if after == Some(event.id.as_str()) || events.len() >= MOST_EVENTS {
                break;
            }
            let begins = after.is_none() && event.begins();
            events.push(event);
            if begins {
                break;
            }
        }
        events.reverse();
        Ok(events)
    }
}

/// CloudFormation has no specific status for a change set without changes
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets-create.html>).
fn says_unchanged(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

fn declared(declaration: &ParameterDeclaration) -> Option<Declared> {
    Some(Declared {
        name: declaration.parameter_key()?.to_owned(),
        default: declaration.default_value().map(str::to_owned),
        no_echo: declaration.no_echo().unwrap_or_default(),
    })
}

fn read(event: &StackEvent) -> Event {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let seconds = event.timestamp().map(aws_sdk_cloudformation::primitives::DateTime::secs);
    let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    Event {
        id: text(event.event_id()),
        time: time.map(|time| time.strftime("%H:%M:%S").to_string()).unwrap_or_default(),
        logical: text(event.logical_resource_id()),
        physical: text(event.physical_resource_id()),
        kind: text(event.resource_type()),
        status: event.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: text(event.resource_status_reason()),
        of_stack: event.resource_type() == Some("AWS::CloudFormation::Stack")
            && event.physical_resource_id() == event.stack_id(),
    }
}
