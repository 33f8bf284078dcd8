//! Describes a stack that failed: the cause, what is left, and the one command that helps.

use super::events::{Event, Left, cause, left, rollback_cause};

/// The kind of resource whose failures the tasks explain.
const ECS_SERVICE: &str = "AWS::ECS::Service";

/// Describes what failed in an operation.
pub(crate) fn trouble(what: &str, operation: &[Event], command: &str, doctor: &str) -> String {
    let mut text = what.to_owned();
    let mut line = |label: &str, content: &str| text.extend(["\n  ", label, ": ", content]);
    let reason = cause(operation);
    if let Some(cause) = &reason {
        line("cause", cause);
    }
    if let Some(cause) = rollback_cause(operation).filter(|found| Some(found) != reason.as_ref()) {
        line("the rollback failed", &cause);
    }
    for resource in left(operation).iter().map(Left::line) {
        line("left", &resource);
    }
    if reason.is_some_and(|cause| cause.contains(ECS_SERVICE)) {
        line("why its tasks stopped", doctor);
    }
    line("run", command);
    text
}
