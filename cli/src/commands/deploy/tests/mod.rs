//! Deployments to a scripted AWS.

mod failing;

use std::sync::Mutex;

use super::deployment::{Consent, Deployment};
use super::stacks::{Stack, stacks};
use super::wishes::Wishes;
use crate::failure;
use crate::fake_aws::FakeAws;

pub(super) const PARAMETERS: [&str; 11] = [
    "app:WebhookUrl=https://app.example.com/notifications",
    "email:EmailSender=loyalty@foostore.example",
    "email:EmailIdentity=foostore.example",
    "ingest:AllowedCidr=203.0.113.0/24",
    "ingest:CertificateArn=arn:aws:acm:eu-central-1:123456789012:certificate/1",
    "wallet:AllowedCidr=0.0.0.0/0",
    "wallet:CertificateArn=arn:aws:acm:eu-central-1:123456789012:certificate/2",
    "wallet:PassOrganization=FooStore",
    "wallet:PassTeam=A1B2C3D4E5",
    "wallet:PassType=pass.com.example.loyalty",
    "wallet:PassWebServiceUrl=https://wallet.example.com",
];
pub(super) const SERVICES: [&str; 9] =
    ["archive", "email", "app", "notifier", "wallet", "rewards", "discounts", "membership", "ingest"];
const IN_ORDER: [&str; 20] = [
    "foundation",
    "archive-data",
    "email-data",
    "app-data",
    "notifier-data",
    "wallet-data",
    "rewards-data",
    "discounts-data",
    "membership-data",
    "ingest-data",
    "observability",
    "archive",
    "email",
    "app",
    "notifier",
    "wallet",
    "rewards",
    "discounts",
    "membership",
    "ingest",
];

/// An operator at the command line.
pub(super) struct Operator {
    pub(super) aws: FakeAws,
    pub(super) stacks: Vec<Stack>,
    pub(super) consent: Consent,
    parameters: Vec<String>,
    tag: Option<&'static str>,
    only: Vec<String>,
    said: Mutex<Vec<String>>,
}

impl Operator {
    /// Starts with an empty account.
    pub(super) async fn new() -> Self {
        Self {
            aws: FakeAws::start().await,
            stacks: stacks("foostore", "prod", None).unwrap(),
            consent: Consent::Given,
            parameters: PARAMETERS.map(str::to_owned).to_vec(),
            tag: Some("a1"),
            only: Vec::new(),
            said: Mutex::default(),
        }
    }

    /// Starts with an empty account and the images that a first deployment needs.
    pub(super) async fn with_images() -> Self {
        let operator = Self::new().await;
        operator.push_images("a1");
        operator
    }

    pub(super) fn push_images(&self, tag: &str) {
        let images = SERVICES.map(|service| format!("foostore-prod/{service}:{tag}"));
        self.aws.account().images.extend(images);
    }

    fn wishes(&self) -> Result<Wishes, failure::Failure> {
        let wishes = Wishes::new("prod", &self.stacks).only(&self.only)?.image_tag(self.tag);
        Ok(wishes.parameters(&self.parameters)?.protection(true))
    }

    /// Runs the command, and returns what it printed.
    pub(super) async fn deploy(&self) -> anyhow::Result<String> {
        let wishes = self.wishes()?;
        self.said.lock().unwrap().clear();
        self.aws.account().asked.clear();
        let say = |text: &str| self.said.lock().unwrap().push(text.to_owned());
        let place = self.aws.place().await;
        Box::pin(Deployment::new(place, wishes, self.consent, &say).run(&self.stacks)).await?;
        Ok(self.said.lock().unwrap().join("\n"))
    }

    /// Returns the stacks for which an operation was called, without application and environment.
    pub(super) fn asked(&self, operation: &str) -> Vec<String> {
        let account = self.aws.account();
        let of = |asked: &String| {
            let stack = asked.strip_prefix(operation)?.strip_prefix(' ')?.to_owned();
            let name = stack.split('/').nth(1).map_or(stack.clone(), str::to_owned);
            Some(name.trim_start_matches("foostore-prod-").to_owned())
        };
        account.asked.iter().filter_map(of).collect()
    }

    pub(super) fn parameter(&self, stack: &str, name: &str) -> String {
        self.aws.account().stacks[&format!("foostore-prod-{stack}")].parameters[name].clone()
    }
}

#[tokio::test]
async fn a_first_deployment_stops_for_the_images_and_goes_on_after_they_were_pushed() {
    let operator = Operator::new().await;
    let stopped = operator.deploy().await.unwrap_err();
    assert_eq!(failure::code_of(&stopped), failure::REFUSED);
    let stopped = stopped.to_string();
    let registry = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
    for service in SERVICES {
        let command = format!(
            "docker buildx build --platform linux/arm64 --build-arg SERVICE={service} \
             --build-arg REVISION=\"$(git rev-parse HEAD)\" --tag {registry}/foostore-prod/{service}:a1 --push ."
        );
        assert!(stopped.contains(&command), "{command} in {stopped}");
    }
    assert!(
        stopped.contains(&format!("docker login --username AWS --password-stdin {registry}")),
        "{stopped}"
    );
    // What holds the repositories exists by now, and no service does.
    assert_eq!(operator.aws.account().stacks.len(), SERVICES.len() + 2);
    assert_eq!(operator.parameter("email-data", "DeletionProtection"), "true");

    operator.push_images("a1");
    let said = operator.deploy().await.unwrap();
    assert!(said.contains("stack foostore-prod-foundation: unchanged"), "{said}");
    assert!(said.contains("stack foostore-prod-ingest: created"), "{said}");
    assert_eq!(operator.asked("ExecuteChangeSet"), SERVICES);
    assert_eq!(operator.asked("CreateChangeSet"), IN_ORDER);

    let said = operator.deploy().await.unwrap();
    assert_eq!(said.matches(": unchanged").count(), IN_ORDER.len(), "{said}");
    assert!(operator.asked("ExecuteChangeSet").is_empty());
    assert!(operator.aws.account().stacks.values().all(|stack| stack.change_sets.is_empty()));
}

#[tokio::test]
async fn tables_are_protected_only_once_their_stack_exists() {
    let operator = Operator::with_images().await;
    let said = operator.deploy().await.unwrap();
    let twice = ["archive-data", "archive-data", "email-data", "email-data", "app-data"];
    assert_eq!(operator.asked("ExecuteChangeSet")[1..6], twice);
    let (created, protected) = (
        said.find("foostore-prod-archive-data: created").unwrap(),
        said.find("its tables are protected from deletion, now that the stack exists").unwrap(),
    );
    assert!(created < protected, "{said}");
    // The events are printed as they come, and the changes before.
    assert!(said.contains("  + AWS::DynamoDB::Table EmailDeliveriesTable"), "{said}");
    assert!(said.contains("CREATE_COMPLETE      AWS::DynamoDB::Table EmailDeliveriesTable"), "{said}");
}

#[tokio::test]
async fn a_plan_shows_the_changes_and_leaves_nothing() {
    let mut operator = Operator::new().await;
    operator.consent = Consent::PlanOnly;
    let said = operator.deploy().await.unwrap();
    assert!(said.contains("stack foostore-prod-foundation is created"), "{said}");
    assert!(said.contains("images are missing: foostore-prod/archive:a1"), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    assert!(operator.aws.account().stacks.is_empty(), "stacks in review are left");

    operator.consent = Consent::Given;
    operator.push_images("a1");
    operator.deploy().await.unwrap();
    operator.push_images("b2");
    (operator.consent, operator.tag) = (Consent::PlanOnly, Some("b2"));
    let said = operator.deploy().await.unwrap();
    assert!(said.contains("stack foostore-prod-email changes"), "{said}");
    assert!(said.contains("  ~ AWS::ECS::Service Service"), "{said}");
    assert!(operator.asked("ExecuteChangeSet").is_empty());
    assert_eq!(operator.parameter("email", "ImageTag"), "a1");
    assert!(operator.aws.account().stacks.values().all(|stack| stack.change_sets.is_empty()));
}

#[tokio::test]
async fn a_changed_default_arrives_and_what_the_operator_set_is_kept() {
    let mut operator = Operator::with_images().await;
    operator.parameters.push("membership-data:LogRetentionDays=90".to_owned());
    operator.deploy().await.unwrap();

    // The next version of the layer, deployed without naming anything again.
    operator.parameters.clear();
    operator.tag = None;
    for stack in &mut operator.stacks {
        stack.template = stack.template.replace("    Default: 30\n", "    Default: 60\n");
    }
    let said = operator.deploy().await.unwrap();
    assert_eq!(operator.parameter("foundation", "LogRetentionDays"), "60");
    assert_eq!(operator.parameter("email-data", "LogRetentionDays"), "60");
    assert_eq!(operator.parameter("membership-data", "LogRetentionDays"), "90");
    assert_eq!(operator.parameter("email", "EmailIdentity"), "foostore.example");
    assert_eq!(operator.parameter("email", "ImageTag"), "a1");
    assert_eq!(operator.parameter("email-data", "DeletionProtection"), "true");
    let note = r#"parameter LogRetentionDays follows the template's default: "30" becomes "60""#;
    assert!(said.contains(note), "{said}");
}

#[tokio::test]
async fn what_is_missing_is_named_before_anything_starts() {
    let mut operator = Operator::new().await;
    (operator.parameters, operator.tag) = (Vec::new(), None);
    let refused = operator.deploy().await.unwrap_err();
    assert_eq!(failure::code_of(&refused), failure::USAGE);
    let refused = refused.to_string();
    assert!(refused.contains("--parameter email:EmailSender=VALUE"), "{refused}");
    assert!(refused.contains("--parameter ingest:CertificateArn=VALUE"), "{refused}");
    assert!(refused.contains("--image-tag TAG (for membership)"), "{refused}");
    assert!(operator.asked("CreateChangeSet").is_empty());

    let operator = Operator::with_images().await;
    operator.deploy().await.unwrap();
    operator.aws.account().images.remove("foostore-prod/notifier:a1");
    let refused = operator.deploy().await.unwrap_err().to_string();
    assert!(refused.starts_with("images are missing: foostore-prod/notifier:a1. Push them"), "{refused}");
    assert!(operator.asked("CreateChangeSet").is_empty());
}

#[tokio::test]
async fn an_interruption_leaves_no_change_set_behind() {
    let operator = Operator::with_images().await;
    operator.aws.account().holds_reviews = true;
    let say = |_: &str| {};
    let place = operator.aws.place().await;
    let mut deployment = Deployment::new(place, operator.wishes().unwrap(), Consent::Given, &say);
    let asked = async {
        while operator.asked("DescribeChangeSet").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ended = Box::pin(deployment.run(&operator.stacks)) => panic!("it ended: {ended:?}"),
        () = asked => {}
    }
    assert_eq!(operator.aws.account().stacks.len(), 1);
    let said = deployment.interrupted().await;
    assert_eq!(said, "stopped: the stack whose changes were shown was not changed");
    assert!(operator.aws.account().stacks.is_empty());
}

#[tokio::test]
async fn one_service_is_deployed_alone() {
    let mut operator = Operator::with_images().await;
    operator.deploy().await.unwrap();
    operator.push_images("b2");
    (operator.only, operator.tag) = (vec!["membership".to_owned()], Some("b2"));
    operator.deploy().await.unwrap();
    assert_eq!(operator.asked("ExecuteChangeSet"), ["membership"]);
    assert_eq!(operator.parameter("membership", "ImageTag"), "b2");
    assert_eq!(operator.parameter("email", "ImageTag"), "a1");
}
