//! What the status of a stack means: whether it can be deployed, and the one command that helps otherwise
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>).

use aws_sdk_cloudformation::types::StackStatus as S;

/// Whether a stack can be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It does not exist, or has never contained anything.
    ToBeCreated,
    /// It exists, and its last operation is complete.
    ToBeUpdated,
    /// Its creation was rolled back and left nothing: it is removed and created.
    ToBeRecreated,
    /// Something must happen first.
    Blocked(Advice),
}

/// What must happen before a stack can be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advice {
    /// The state in words.
    pub(crate) why: String,
    /// The command without the options that say where.
    pub(crate) command: String,
}

impl Condition {
    /// Judges a stack by its name, its status and whether its last operation left something behind.
    pub(crate) fn of(name: &str, status: Option<&S>, left_something: bool) -> Self {
        let Some(status) = status else { return Self::ToBeCreated };
        let blocked = |why: &str, command: &str| {
            let command = format!("aws cloudformation {command} --stack-name {name}");
            Self::Blocked(Advice { why: why.to_owned(), command })
        };
        match status {
            S::DeleteComplete | S::ReviewInProgress => Self::ToBeCreated,
            S::CreateComplete
            | S::UpdateComplete
            | S::UpdateRollbackComplete
            | S::ImportComplete
            | S::ImportRollbackComplete => Self::ToBeUpdated,
            S::RollbackComplete if !left_something => Self::ToBeRecreated,
            S::RollbackComplete => blocked(
                "its creation was rolled back and left resources whose names the next creation needs; once they are gone, \
                 delete the stack",
                "delete-stack",
            ),
            S::CreateFailed => blocked("its creation failed and was not rolled back", "delete-stack"),
            S::RollbackFailed => blocked(
                "its creation failed, and so did the rollback; once the cause is corrected, delete it",
                "delete-stack",
            ),
            S::DeleteFailed => {
                blocked("its removal failed; once the cause is corrected, delete it again", "delete-stack")
            }
            S::UpdateFailed => blocked("its update failed and was not rolled back", "rollback-stack"),
            S::UpdateRollbackFailed => blocked(
                "its update failed, and so did the rollback; once the cause is corrected, let it go on",
                "continue-update-rollback",
            ),
            S::CreateInProgress | S::RollbackInProgress => {
                blocked("somebody else is creating it", "wait stack-create-complete")
            }
            S::UpdateInProgress | S::UpdateCompleteCleanupInProgress => {
                blocked("somebody else is updating it", "wait stack-update-complete")
            }
            S::UpdateRollbackInProgress | S::UpdateRollbackCompleteCleanupInProgress => {
                blocked("an update of somebody else is being rolled back", "wait stack-rollback-complete")
            }
            S::DeleteInProgress => blocked("somebody else is removing it", "wait stack-delete-complete"),
            S::ImportInProgress | S::ImportRollbackInProgress => {
                blocked("somebody else is importing resources into it", "wait stack-import-complete")
            }
            other => blocked(&format!("it is in the state {}", other.as_str()), "describe-stack-events"),
        }
    }
}

/// How an operation that this program started has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    UnderWay,
    Done,
    Failed,
}

impl Outcome {
    pub(crate) fn of(status: &S) -> Self {
        match status {
            S::CreateComplete | S::UpdateComplete => Self::Done,
            status if status.as_str().ends_with("_IN_PROGRESS") => Self::UnderWay,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(status: &str, left_something: bool) -> Option<String> {
        match Condition::of("x", Some(&S::from(status)), left_something) {
            Condition::Blocked(advice) => Some(advice.command),
            _ => None,
        }
    }

    #[test]
    fn each_status_has_one_command_or_none() {
        for (status, expected) in [
            ("ROLLBACK_FAILED", "delete-stack"),
            ("CREATE_FAILED", "delete-stack"),
            ("DELETE_FAILED", "delete-stack"),
            ("UPDATE_FAILED", "rollback-stack"),
            ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
            ("CREATE_IN_PROGRESS", "wait stack-create-complete"),
            ("ROLLBACK_IN_PROGRESS", "wait stack-create-complete"),
            ("UPDATE_IN_PROGRESS", "wait stack-update-complete"),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "wait stack-update-complete"),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "wait stack-rollback-complete"),
            ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "wait stack-rollback-complete"),
            ("DELETE_IN_PROGRESS", "wait stack-delete-complete"),
            ("IMPORT_IN_PROGRESS", "wait stack-import-complete"),
            ("NEW_STATUS", "describe-stack-events"),
        ] {
            let whole = format!("aws cloudformation {expected} --stack-name x");
            assert_eq!(command(status, false), Some(whole), "{status}");
        }
        for status in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"] {
            assert_eq!(Condition::of("x", Some(&S::from(status)), true), Condition::ToBeUpdated, "{status}");
        }
        assert_eq!(Condition::of("x", None, false), Condition::ToBeCreated);
        assert_eq!(Condition::of("x", Some(&S::ReviewInProgress), false), Condition::ToBeCreated);
    }

    #[test]
    fn a_rolled_back_creation_is_repeated_unless_something_is_left() {
        assert_eq!(Condition::of("x", Some(&S::RollbackComplete), false), Condition::ToBeRecreated);
        assert!(command("ROLLBACK_COMPLETE", true).is_some_and(|command| command.contains("delete-stack")));
    }

    #[test]
    fn only_a_complete_creation_or_update_is_a_success() {
        let outcome = |status: &str| Outcome::of(&S::from(status));
        assert_eq!(outcome("UPDATE_COMPLETE"), Outcome::Done);
        assert_eq!(outcome("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), Outcome::UnderWay);
        // A change set that was just executed.
        assert_eq!(outcome("REVIEW_IN_PROGRESS"), Outcome::UnderWay);
        for failed in
            ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "CREATE_FAILED"]
        {
            assert_eq!(outcome(failed), Outcome::Failed, "{failed}");
        }
    }
}
