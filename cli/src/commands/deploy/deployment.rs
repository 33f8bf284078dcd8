//! Deploys the stacks one after the other.

use std::time::Duration;

use aws_sdk_cloudformation::types::{ChangeSetType, StackStatus};

use super::cloud::{ChangeSet, CloudFormation, Described, Review};
use super::events::{Event, last_operation, left};
use super::images::{Image, push_commands};
use super::parameters::{Choices, Deployed};
use super::stacks::{Part, Stack};
use super::status::Condition;
use super::trouble::trouble;
use super::watch::{removed, watched};
use super::wishes::Wishes;
use crate::consent;
use crate::failure::Failure;
use crate::patience::Patience;
use crate::place::Place;

/// The limit for CloudFormation to compute the changes of a stack.
const REVIEWED_WITHIN: Duration = Duration::from_mins(10);

/// Whether changes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// Changes are only shown.
    PlanOnly,
    /// Each stack needs a confirmation.
    Ask,
    Given,
}

/// What is under way in CloudFormation.
#[derive(Debug, Clone)]
enum Open {
    Nothing,
    Review(ChangeSet),
    Operation(String),
}

/// A deployment of one environment.
pub(super) struct Deployment<'a> {
    cloud: CloudFormation,
    place: Place,
    wishes: Wishes,
    consent: Consent,
    say: &'a (dyn Fn(&str) + Sync),
    open: Open,
}

/// A stack, its state, and what it gets.
#[derive(Debug, Clone)]
struct Prepared<'a> {
    stack: &'a Stack,
    condition: Condition,
    described: Option<Described>,
    deployed: Option<Deployed>,
    choices: Choices,
    /// Whether its tables are protected once it exists.
    protect_later: bool,
    /// The events of the last operation, if it failed.
    operation: Vec<Event>,
}

/// What is to be done with a change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Execute,
    Leave,
}

impl<'a> Deployment<'a> {
    pub(super) fn new(
        place: Place,
        wishes: Wishes,
        consent: Consent,
        say: &'a (dyn Fn(&str) + Sync),
    ) -> Self {
        let cloud = CloudFormation::new(&place.config);
        Self { cloud, place, wishes, consent, say, open: Open::Nothing }
    }

    /// Deploys the requested stacks.
    ///
    /// # Errors
    /// When something is missing, which is detected before anything starts, or a stack cannot be deployed.
    pub(super) async fn run(&mut self, stacks: &[Stack]) -> anyhow::Result<()> {
        let mut prepared = Vec::new();
        for stack in stacks.iter().filter(|stack| self.wishes.include(&stack.part)) {
            prepared.push(self.prepare(stack).await?);
        }
        self.refuse_blocked(&prepared)?;
        refuse_missing_parameters(&prepared)?;
        let mut missing = self.missing_images(&prepared).await?;
        if self.consent == Consent::PlanOnly {
            if !missing.is_empty() {
                (self.say)(&self.images_are_missing(&missing));
            }
        } else if !missing.is_empty() && !missing.iter().any(|image| awaits_stack(&prepared, image)) {
            return Err(Failure::refused(self.images_are_missing(&missing)).into());
        }
        for one in &prepared {
            if matches!(one.stack.part, Part::Service(_)) && !missing.is_empty() && self.changes_anything() {
                // The repositories exist by now.
                missing = self.missing_images(&prepared).await?;
                if !missing.is_empty() {
                    return Err(Failure::refused(self.images_are_missing(&missing)).into());
                }
            }
            self.deploy(one).await?;
        }
        let end = if self.changes_anything() { "is deployed" } else { "is planned; nothing was changed" };
        (self.say)(&format!("environment {} {end}", self.wishes.environment));
        Ok(())
    }

    /// Ends what is under way after an interruption, and describes it.
    pub(super) async fn interrupted(&mut self) -> String {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => "stopped between two stacks: deploy again to go on".to_owned(),
            Open::Review(change_set) => match self.cloud.discard(&change_set).await {
                Ok(()) => "stopped: the stack whose changes were shown was not changed".to_owned(),
                Err(error) => {
                    format!("stopped: change set {} could not be removed: {error:#}", change_set.id)
                }
            },
            Open::Operation(stack) => format!(
                "stopped watching: CloudFormation goes on with stack {stack}; `{}` shows how it ends",
                self.doctor()
            ),
        }
    }

    fn changes_anything(&self) -> bool {
        self.consent != Consent::PlanOnly
    }

    async fn prepare<'s>(&self, stack: &'s Stack) -> anyhow::Result<Prepared<'s>> {
        let described = self.cloud.stack(&stack.name).await?;
        let operation = match &described {
            Some(described) if failed(&described.status) => self.cloud.events(&described.id, None).await?,
            _ => Vec::new(),
        };
        let left_something = !left(last_operation(&operation)).is_empty();
        let status = described.as_ref().map(|described| &described.status);
        let condition = Condition::of(&stack.name, status, left_something);
        let exists = condition == Condition::ToBeUpdated;
        let declared = self.cloud.declared_by_template(stack).await?;
        let deployed = match described.as_ref().filter(|_| exists) {
            Some(described) => Some(Deployed {
                values: described.parameters.clone(),
                declared: self.cloud.declared_by_stack(&stack.name).await?,
            }),
            None => None,
        };
        let (given, protect_later) = self.wishes.given(&stack.part, &declared, exists)?;
        let choices = Choices::of(&declared, &given, deployed.as_ref());
        Ok(Prepared { stack, condition, described, deployed, choices, protect_later, operation })
    }

    fn refuse_blocked(&self, prepared: &[Prepared<'_>]) -> Result<(), Failure> {
        let troubles: Vec<String> = prepared
            .iter()
            .filter_map(|one| {
                let Condition::Blocked(advice) = &one.condition else { return None };
                let what = format!("stack {} cannot be deployed: {}", one.stack.name, advice.why);
                let command = format!("{} {}", advice.command, self.place.cli_options());
                Some(trouble(&what, last_operation(&one.operation), &command, &self.doctor()))
            })
            .collect();
        if troubles.is_empty() { Ok(()) } else { Err(Failure::refused(troubles.join("\n"))) }
    }

    async fn missing_images(&self, prepared: &[Prepared<'_>]) -> anyhow::Result<Vec<Image>> {
        let prefix = format!("{}-{}", contracts::APPLICATION, self.wishes.environment);
        let mut missing: Vec<Image> = Vec::new();
        for one in prepared {
            let Part::Service(service) = &one.stack.part else { continue };
            for image in Image::of(&prefix, service, &one.choices) {
                if missing.contains(&image) || image.exists(&self.place.config).await? {
                    continue;
                }
                missing.push(image);
            }
        }
        Ok(missing)
    }

    fn images_are_missing(&self, missing: &[Image]) -> String {
        let names: Vec<String> = missing.iter().map(Image::text).collect();
        format!(
            "images are missing: {}. Push them and deploy again:\n{}",
            names.join(", "),
            push_commands(missing, &self.place)
        )
    }

    async fn deploy(&mut self, prepared: &Prepared<'_>) -> anyhow::Result<()> {
        let stack = prepared.stack;
        if prepared.condition == Condition::ToBeRecreated {
            (self.say)(&format!(
                "stack {}: its creation was rolled back and left nothing, so it is removed and created again",
                stack.name
            ));
            if !self.changes_anything() {
                return Ok(());
            }
            if let Some(described) = &prepared.described {
                removed(&self.cloud, &described.id).await?;
            }
        }
        let kind = match prepared.condition {
            Condition::ToBeUpdated => ChangeSetType::Update,
            _ => ChangeSetType::Create,
        };
        let notes = prepared.choices.followed(prepared.deployed.as_ref());
        let planned = self.apply(stack, kind, &prepared.choices, &notes, self.consent).await;
        if let Err(error) = planned {
            if self.changes_anything() || prepared.deployed.is_some() {
                return Err(error);
            }
            // It reads what the stacks before it leave, which are only planned.
            (self.say)(&format!(
                "stack {}: cannot be planned before those it needs exist: {error:#}",
                stack.name
            ));
            return Ok(());
        }
        if prepared.protect_later {
            if self.changes_anything() {
                let again = self.prepare(stack).await?;
                let notes = ["its tables are protected from deletion, now that the stack exists".to_owned()];
                self.apply(stack, ChangeSetType::Update, &again.choices, &notes, Consent::Given).await?;
            } else {
                (self.say)("  once it exists, its tables are protected from deletion");
            }
        }
        Ok(())
    }

    /// Shows the changes of a stack and, with consent, makes them.
    async fn apply(
        &mut self,
        stack: &Stack,
        kind: ChangeSetType,
        choices: &Choices,
        notes: &[String],
        consent: Consent,
    ) -> anyhow::Result<()> {
        let tags =
            [("application", contracts::APPLICATION), ("environment", self.wishes.environment.as_str())];
        let creates = kind == ChangeSetType::Create;
        let change_set = self.cloud.create_change_set(stack, kind, choices, &tags).await?;
        self.open = Open::Review(change_set.clone());
        let decision = self.decide(stack, &change_set, creates, notes, consent).await;
        if !matches!(decision, Ok(Decision::Execute)) {
            let discarded = self.cloud.discard(&change_set).await;
            self.open = Open::Nothing;
            decision?;
            return discarded;
        }
        let before = self.cloud.events(&change_set.stack, None).await?;
        if let Err(error) = self.cloud.execute(&change_set).await {
            // If it began nevertheless, the change set is gone or refuses to be removed, which is no news.
            drop(self.cloud.discard(&change_set).await);
            self.open = Open::Nothing;
            return Err(error);
        }
        self.open = Open::Operation(stack.name.clone());
        let before = before.last().map(|event| event.id.clone());
        let (done, operation) = watched(&self.cloud, &change_set.stack, before, self.say).await?;
        self.open = Open::Nothing;
        if done {
            (self.say)(&format!("stack {}: {}", stack.name, if creates { "created" } else { "updated" }));
            return Ok(());
        }
        Err(self.failure(stack, creates, &operation).await?.into())
    }

    async fn decide(
        &self,
        stack: &Stack,
        change_set: &ChangeSet,
        creates: bool,
        notes: &[String],
        consent: Consent,
    ) -> anyhow::Result<Decision> {
        let name = &stack.name;
        let mut patience = Patience::of(REVIEWED_WITHIN);
        let changes = loop {
            match self.cloud.review(change_set).await? {
                Review::Ready(changes) => break changes,
                Review::Unchanged => {
                    (self.say)(&format!("stack {name}: unchanged"));
                    return Ok(Decision::Leave);
                }
                Review::Failed(reason) => {
                    return Err(Failure::refused(format!("stack {name} cannot be changed: {reason}")).into());
                }
                Review::UnderWay if patience.pause().await => {}
                Review::UnderWay => {
                    let why =
                        format!("the changes of stack {name} were not computed within {REVIEWED_WITHIN:?}");
                    return Err(Failure::unavailable(why).into());
                }
            }
        };
        let verb = if creates { "is created" } else { "changes" };
        (self.say)(&format!("stack {name} {verb} ({} resources)", changes.len()));
        for note in notes {
            (self.say)(&format!("  {note}"));
        }
        for change in &changes {
            (self.say)(change.line());
        }
        match consent {
            Consent::PlanOnly => Ok(Decision::Leave),
            Consent::Given => Ok(Decision::Execute),
            Consent::Ask if consent::agrees(&format!("deploy stack {name}?")).await? => Ok(Decision::Execute),
            Consent::Ask => {
                Err(Failure::refused(format!("stopped before stack {name}, which was not changed")).into())
            }
        }
    }

    /// Describes why an operation failed, and what helps.
    async fn failure(&self, stack: &Stack, creates: bool, operation: &[Event]) -> anyhow::Result<Failure> {
        let described = self.cloud.stack(&stack.name).await?;
        let status = described.as_ref().map(|described| &described.status);
        let condition = Condition::of(&stack.name, status, !left(operation).is_empty());
        let (state, command) = if let Condition::Blocked(advice) = condition {
            (format!(": {}", advice.why), format!("{} {}", advice.command, self.place.cli_options()))
        } else {
            let environment = &self.wishes.environment;
            (
                " and was rolled back; once the cause is corrected, deploy again".to_owned(),
                format!("foostore deploy --environment {environment}, with the same options"),
            )
        };
        let verb = if creates { "created" } else { "updated" };
        let what = format!("stack {} could not be {verb}{state}", stack.name);
        Ok(Failure::refused(trouble(&what, operation, &command, &self.doctor())))
    }

    fn doctor(&self) -> String {
        format!("foostore doctor --environment {} {}", self.wishes.environment, self.place.cli_options())
    }
}

/// Whether the last operation on a stack failed, so that its events say why.
fn failed(status: &StackStatus) -> bool {
    let status = status.as_str();
    status.ends_with("_FAILED") || status.ends_with("ROLLBACK_COMPLETE")
}

/// Whether the repository of an image is in a stack that is yet to be created, so that nobody can push the image before.
fn awaits_stack(prepared: &[Prepared<'_>], image: &Image) -> bool {
    let holds = |part: &Part| match part {
        Part::Data(service) => *service == image.name,
        Part::Foundation => image.name == "collector",
        _ => false,
    };
    prepared.iter().any(|one| holds(&one.stack.part) && one.condition != Condition::ToBeUpdated)
}

fn refuse_missing_parameters(prepared: &[Prepared<'_>]) -> Result<(), Failure> {
    let missing: Vec<String> = prepared
        .iter()
        .flat_map(|one| one.choices.missing.iter().map(|name| (one.stack.part.name(), name)))
        .map(|(stack, name)| match name.as_str() {
            "ImageTag" => format!("--image-tag TAG (for {stack})"),
            name => format!("--parameter {stack}:{name}=VALUE"),
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!("parameters without a default have no value: add {}", missing.join(", "))))
}
