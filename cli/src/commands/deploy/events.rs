//! What a stack's events say: why its last operation failed, and what the rollback left.

/// An event of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// Hours, minutes and seconds.
    pub(crate) time: String,
    pub(crate) logical: String,
    pub(crate) physical: String,
    /// Such as `AWS::SQS::Queue`.
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    /// Whether it is an event of the stack itself rather than of a resource.
    pub(crate) of_stack: bool,
}

impl Event {
    /// Whether an operation on the stack starts with this event.
    pub(crate) fn begins(&self) -> bool {
        const BEGINNINGS: [&str; 5] = [
            "CREATE_IN_PROGRESS",
            "DELETE_IN_PROGRESS",
            "IMPORT_IN_PROGRESS",
            "REVIEW_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
        ];
        self.of_stack && BEGINNINGS.contains(&self.status.as_str())
    }

    fn failed(&self) -> bool {
        self.status.ends_with("_FAILED")
    }

    /// Renders the event as one line.
    pub(crate) fn line(&self) -> String {
        let kind = if self.of_stack { "stack" } else { &self.kind };
        let reason = if self.failed() { format!(": {}", self.reason) } else { String::new() };
        format!("  {} {:<20} {kind} {}{reason}", self.time, self.status, self.logical)
    }
}

/// A resource that a rollback did not remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    kind: String,
    name: String,
    why: String,
}

impl Left {
    /// Renders the resource with the command that removes it, where one is known.
    pub(crate) fn line(&self) -> String {
        let command = match self.kind.as_str() {
            "AWS::DynamoDB::Table" => "aws dynamodb delete-table --table-name",
            "AWS::SQS::Queue" => "aws sqs delete-queue --queue-url",
            "AWS::Logs::LogGroup" => "aws logs delete-log-group --log-group-name",
            "AWS::ECR::Repository" => "aws ecr delete-repository --force --repository-name",
            "AWS::SecretsManager::Secret" => {
                "aws secretsmanager delete-secret --force-delete-without-recovery --secret-id"
            }
            "AWS::S3::Bucket" => "aws s3api delete-bucket --bucket",
            "AWS::KMS::Key" => "aws kms schedule-key-deletion --pending-window-in-days 30 --key-id",
            _ => "",
        };
        let command = if command.is_empty() { String::new() } else { format!(" ({command} {})", self.name) };
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        format!("{} {}{why}{command}", self.kind, self.name)
    }
}

/// Returns the events of the last operation, of events in order of time.
pub(crate) fn last_operation(events: &[Event]) -> &[Event] {
    let start = events.iter().rposition(Event::begins).unwrap_or_default();
    events.get(start..).unwrap_or_default()
}

/// Returns why an operation failed: the first failure of a resource that was not merely cancelled because of another.
pub(crate) fn cause(operation: &[Event]) -> Option<String> {
    let real = |event: &&Event| event.failed() && !is_cancelled(&event.reason);
    let failures = || operation.iter().filter(real);
    let first = failures().find(|event| !event.of_stack).or_else(|| failures().next())?;
    let reason = if first.reason.is_empty() { "CloudFormation gives no reason" } else { &first.reason };
    Some(format!("{} ({}): {reason}", first.logical, first.kind))
}

/// Returns why the rollback of an operation failed, if it did.
pub(crate) fn rollback_cause(operation: &[Event]) -> Option<String> {
    let is_rollback = |event: &Event| event.of_stack && event.status.ends_with("ROLLBACK_IN_PROGRESS");
    let start = operation.iter().position(is_rollback)?;
    operation.get(start..).and_then(cause)
}

/// `Resource creation cancelled`, `Resource update cancelled`.
fn is_cancelled(reason: &str) -> bool {
    reason.trim_end_matches('.').ends_with("cancelled")
}

/// Returns the resources that an operation's rollback should have removed and did not.
pub(crate) fn left(operation: &[Event]) -> Vec<Left> {
    let mut left: Vec<(&str, Left)> = Vec::new();
    for event in operation.iter().filter(|event| !event.of_stack) {
        left.retain(|(logical, _)| *logical != event.logical);
        if ["DELETE_FAILED", "DELETE_SKIPPED"].contains(&event.status.as_str()) && !event.physical.is_empty()
        {
            let one =
                Left { kind: event.kind.clone(), name: event.physical.clone(), why: event.reason.clone() };
            left.push((&event.logical, one));
        }
    }
    left.into_iter().map(|(_, left)| left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(logical: &str, status: &str, reason: &str) -> Event {
        Event {
            id: format!("{logical}-{status}"),
            time: "12:00:00".to_owned(),
            logical: logical.to_owned(),
            physical: format!("physical-{logical}"),
            kind: if logical == "stack" { "AWS::CloudFormation::Stack" } else { "AWS::DynamoDB::Table" }
                .to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            of_stack: logical == "stack",
        }
    }

    #[test]
    fn the_cause_is_the_first_failure_that_was_not_cancelled() {
        let events = [
            event("stack", "CREATE_IN_PROGRESS", "User Initiated"),
            event("Old", "CREATE_FAILED", "of an earlier operation"),
            event("stack", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("Bus", "CREATE_FAILED", "Resource creation cancelled"),
            event("Pipe", "CREATE_FAILED", "the role cannot be assumed"),
            event("Queue", "CREATE_FAILED", "later"),
            event(
                "stack",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to create: [Pipe].",
            ),
        ];
        let operation = last_operation(&events);
        assert_eq!(operation.len(), 5);
        assert_eq!(
            cause(operation).as_deref(),
            Some("Pipe (AWS::DynamoDB::Table): the role cannot be assumed")
        );
        assert_eq!(cause(&events[2..4]), None);
        assert_eq!(rollback_cause(operation), None);
        let stuck = [operation, &[event("Queue", "UPDATE_FAILED", "it no longer exists")]].concat();
        assert_eq!(
            rollback_cause(&stuck).as_deref(),
            Some("Queue (AWS::DynamoDB::Table): it no longer exists")
        );
        let stack_only = [event("stack", "CREATE_FAILED", "Parameter validation failed")];
        assert!(cause(&stack_only).is_some_and(|cause| cause.ends_with("Parameter validation failed")));
    }

    #[test]
    fn what_the_rollback_kept_or_could_not_remove_is_left() {
        let events = [
            event("stack", "CREATE_IN_PROGRESS", "User Initiated"),
            event("Table", "CREATE_COMPLETE", ""),
            event("Gone", "DELETE_FAILED", "still in use"),
            event("Gone", "DELETE_COMPLETE", ""),
            event("Table", "DELETE_FAILED", "deletion protection is enabled"),
        ];
        let left: Vec<_> = left(&events).iter().map(Left::line).collect();
        assert_eq!(
            left,
            ["AWS::DynamoDB::Table physical-Table: deletion protection is enabled \
              (aws dynamodb delete-table --table-name physical-Table)"]
        );
    }
}
