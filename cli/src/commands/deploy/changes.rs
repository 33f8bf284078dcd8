//! The changes of a change set, as they are shown before it is executed.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types::{Change, ChangeAction, PolicyAction, Replacement, ResourceChange};

/// A change of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedChange {
    line: String,
}

impl PlannedChange {
    pub(crate) fn of(change: &Change) -> Option<Self> {
        change.resource_change().map(|change| Self { line: line(change) })
    }

    /// Renders the change as one line.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }
}

fn line(change: &ResourceChange) -> String {
    let sign = match change.action() {
        Some(ChangeAction::Add) => "+",
        Some(ChangeAction::Remove) => "-",
        Some(ChangeAction::Modify) => "~",
        _ => "?",
    };
    let kind = change.resource_type().unwrap_or_default();
    let logical = change.logical_resource_id().unwrap_or_default();
    // A set: one property may change for several reasons.
    let properties: BTreeSet<_> = change
        .details()
        .iter()
        .filter_map(|detail| detail.target())
        .filter_map(|target| {
            target
                .name()
                .or_else(|| target.attribute().map(aws_sdk_cloudformation::types::ResourceAttribute::as_str))
        })
        .collect();
    let properties = properties.into_iter().collect::<Vec<_>>().join(", ");
    let properties = if properties.is_empty() { properties } else { format!(" [{properties}]") };
    let replacement = match change.replacement() {
        Some(Replacement::True) => ": is REPLACED",
        Some(Replacement::Conditional) => ": may be replaced",
        _ => "",
    };
    let kept = match (change.action(), change.policy_action()) {
        (Some(ChangeAction::Remove), Some(PolicyAction::Retain)) => ", is kept outside the stack",
        (_, Some(PolicyAction::ReplaceAndRetain)) => ", the old one is kept outside the stack",
        _ => "",
    };
    format!("  {sign} {kind} {logical}{properties}{replacement}{kept}")
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{ResourceChangeDetail, ResourceTargetDefinition};

    use super::*;

    #[test]
    fn a_line_shows_action_resource_properties_and_replacement() {
        let detail = ResourceChangeDetail::builder()
            .target(ResourceTargetDefinition::builder().name("KeySchema").build())
            .build();
        let change = ResourceChange::builder()
            .action(ChangeAction::Modify)
            .logical_resource_id("MembersTable")
            .resource_type("AWS::DynamoDB::Table")
            .replacement(Replacement::True)
            .policy_action(PolicyAction::ReplaceAndRetain)
            .details(detail.clone())
            .details(detail)
            .build();
        assert_eq!(
            line(&change),
            "  ~ AWS::DynamoDB::Table MembersTable [KeySchema]: is REPLACED, the old one is kept outside the stack"
        );
        let added = ResourceChange::builder()
            .action(ChangeAction::Add)
            .logical_resource_id("Queue")
            .resource_type("AWS::SQS::Queue")
            .build();
        assert_eq!(line(&added), "  + AWS::SQS::Queue Queue");
    }
}
