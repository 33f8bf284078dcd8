//! Deployments that fail: what is reported, and that the next one succeeds.

use super::{IN_ORDER, Operator, SERVICES};
use crate::failure;
use crate::fake_aws::Fails;

const FOOSTORE: &str = "run: foostore deploy --environment prod";

impl Operator {
    fn fails(&self, stack: &str, how: Fails) {
        self.aws.account().fails.insert(format!("foostore-prod-{stack}"), how);
    }

    fn set_status(&self, stack: &str, status: &str) {
        self.aws.account().stack(&format!("foostore-prod-{stack}")).unwrap().status = status.to_owned();
    }

    /// Deploys and expects a refusal that names `expected`.
    async fn refused(&self, expected: &[&str]) -> String {
        let refused = self.deploy().await.unwrap_err();
        assert_eq!(failure::code_of(&refused), failure::REFUSED, "{refused}");
        let refused = refused.to_string();
        for part in expected {
            assert!(refused.contains(part), "{part} in {refused}");
        }
        assert_eq!(refused.matches("run: ").count(), 1, "{refused}");
        refused
    }
}

#[tokio::test]
async fn whichever_stack_fails_at_its_creation_the_next_deployment_needs_no_intervention() {
    let operator = Operator::with_images().await;
    for stack in IN_ORDER {
        operator.fails(stack, Fails::RolledBack);
        let what = format!("stack foostore-prod-{stack} could not be created and was rolled back");
        let refused = operator.refused(&[&what, "it failed on purpose", FOOSTORE]).await;
        assert!(!refused.contains("cancelled") && !refused.contains("left:"), "{refused}");
        assert_eq!(operator.asked("ExecuteChangeSet").last().map(String::as_str), Some(stack));
    }
    let said = operator.deploy().await.unwrap();
    assert!(
        said.contains("stack foostore-prod-ingest: its creation was rolled back and left nothing"),
        "{said}"
    );
    assert_eq!(operator.asked("DeleteStack"), ["ingest"]);
    assert_eq!(operator.aws.account().stacks.len(), IN_ORDER.len());
}

#[tokio::test]
async fn a_repository_whose_stack_failed_is_created_before_its_image_is_asked_for() {
    let operator = Operator::new().await;
    operator.fails("membership-data", Fails::RolledBack);
    operator.refused(&["stack foostore-prod-membership-data could not be created", FOOSTORE]).await;
    let stopped = operator.deploy().await.unwrap_err().to_string();
    assert!(stopped.starts_with("images are missing: "), "{stopped}");
    assert_eq!(operator.aws.account().stacks.len(), SERVICES.len() + 2);
}

#[tokio::test]
async fn whichever_stack_fails_at_its_update_the_next_deployment_needs_no_intervention() {
    let mut operator = Operator::with_images().await;
    operator.deploy().await.unwrap();
    for stack in &mut operator.stacks {
        stack.template =
            stack.template.replacen("Description: ", "Description: New. ", 1).replace("New. \"", "\"New. ");
    }
    for stack in IN_ORDER {
        operator.fails(stack, Fails::RolledBack);
        let what = format!("stack foostore-prod-{stack} could not be updated and was rolled back");
        operator.refused(&[&what, "it failed on purpose", FOOSTORE]).await;
    }
    let said = operator.deploy().await.unwrap();
    assert!(said.contains("stack foostore-prod-ingest: updated"), "{said}");
    assert!(operator.asked("DeleteStack").is_empty());
}

#[tokio::test]
async fn a_failed_protection_is_made_up_for() {
    let operator = Operator::with_images().await;
    operator.fails("observability", Fails::RolledBack);
    operator.deploy().await.unwrap_err();
    // As if the program had ended between the creation and the protection.
    let protection = || operator.parameter("email-data", "DeletionProtection");
    let stack = "foostore-prod-email-data";
    let off = ("DeletionProtection".to_owned(), "false".to_owned());
    operator.aws.account().stack(stack).unwrap().parameters.extend([off]);
    assert_eq!(protection(), "false");
    operator.deploy().await.unwrap();
    assert_eq!(protection(), "true");
}

#[tokio::test]
async fn what_a_rollback_kept_is_listed_and_must_go_first() {
    let operator = Operator::with_images().await;
    operator.fails("email-data", Fails::Kept);
    let delete =
        "run: aws cloudformation delete-stack --stack-name foostore-prod-email-data --region eu-central-1";
    let left = "left: AWS::";
    operator.refused(&["could not be created", "it failed on purpose", left, delete]).await;
    // Nothing starts before that.
    operator.refused(&["cannot be deployed", left, delete]).await;
    assert!(operator.asked("CreateChangeSet").is_empty());
    operator.aws.account().stacks.remove("foostore-prod-email-data");
    operator.deploy().await.unwrap();
}

#[tokio::test]
async fn a_rollback_that_fails_has_one_command_and_the_deployment_succeeds_after_it() {
    let operator = Operator::with_images().await;
    operator.fails("membership-data", Fails::Stuck);
    let delete = "run: aws cloudformation delete-stack --stack-name foostore-prod-membership-data";
    operator
        .refused(&[
            "could not be created",
            "it failed on purpose",
            "the rollback failed: ",
            "it is protected",
            delete,
        ])
        .await;
    operator.refused(&["cannot be deployed", delete]).await;
    operator.aws.account().stacks.remove("foostore-prod-membership-data");
    operator.deploy().await.unwrap();

    operator.push_images("b2");
    let mut operator = operator;
    operator.tag = Some("b2");
    operator.fails("notifier", Fails::Stuck);
    let go_on = "run: aws cloudformation continue-update-rollback --stack-name foostore-prod-notifier";
    operator.refused(&["could not be updated", "it failed on purpose", go_on]).await;
    operator.refused(&["cannot be deployed", go_on]).await;
    operator.set_status("notifier", "UPDATE_ROLLBACK_COMPLETE");
    operator.deploy().await.unwrap();
    assert_eq!(operator.parameter("notifier", "ImageTag"), "b2");
}

#[tokio::test]
async fn what_somebody_else_does_is_awaited_and_a_review_taken_over() {
    let operator = Operator::with_images().await;
    operator.deploy().await.unwrap();
    operator.set_status("email", "UPDATE_IN_PROGRESS");
    let wait = "run: aws cloudformation wait stack-update-complete --stack-name foostore-prod-email ";
    operator.refused(&["somebody else is updating it", wait]).await;
    assert!(operator.asked("CreateChangeSet").is_empty());
    operator.set_status("email", "DELETE_FAILED");
    operator.refused(&["run: aws cloudformation delete-stack --stack-name foostore-prod-email "]).await;
    operator.set_status("email", "REVIEW_IN_PROGRESS");
    operator.deploy().await.unwrap();
    assert_eq!(operator.asked("ExecuteChangeSet"), ["email"]);
}
