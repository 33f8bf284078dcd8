//! Creates what a topology needs through AWS's own APIs; idempotent.
//!
//! Every call either creates a resource or brings an existing one to its declared state; running it again
//! changes nothing. It is for development and tests, against the local cloud or another emulator. In
//! production CloudFormation creates the same [`Resources`]; [`locate`] finds those.
//!
//! ```no_run
//! # async fn example(resources: topology::Resources, config: aws_config::SdkConfig)
//! #     -> Result<(), provisioning::ProvisionError> {
//! let outputs = provisioning::provision(&resources, &config).await?;
//! for (name, value) in outputs.environment("membership") {
//!     println!("{name}={value}");
//! }
//! # Ok(())
//! # }
//! ```

mod buckets;
mod bus;
mod error;
mod keys;
mod mail;
mod pipes;
mod queues;
mod remove;
mod tables;
mod topics;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use topology::{Resources, RuleBus, Variable};

pub use error::ProvisionError;
pub use remove::remove;

/// The resources created or found, by physical name.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    environments: BTreeMap<String, BTreeMap<String, String>>,
    /// URL of each queue.
    pub queue_urls: BTreeMap<String, String>,
    /// ARN of each queue.
    pub queue_arns: BTreeMap<String, String>,
    /// ARN of each topic.
    pub topic_arns: BTreeMap<String, String>,
    /// Name of each bucket, with account and region.
    pub bucket_names: BTreeMap<String, String>,
}

impl Outputs {
    /// The environment variables by which a service finds its resources; none for a service that the
    /// topology does not have.
    #[must_use]
    pub fn environment(&self, service: &str) -> BTreeMap<String, String> {
        self.environments.get(service).cloned().unwrap_or_default()
    }
}

/// Creates everything in `resources` that does not exist yet, and brings the rest to its declared state.
///
/// # Errors
/// [`ProvisionError`] names the call and the resource that failed. Resources created before the failure stay;
/// run it again once the cause is gone.
pub async fn provision(resources: &Resources, config: &SdkConfig) -> Result<Outputs, ProvisionError> {
    // Boxed once here, so that a caller's future does not hold those of every SDK call.
    Box::pin(create_all(resources, config)).await
}

async fn create_all(resources: &Resources, config: &SdkConfig) -> Result<Outputs, ProvisionError> {
    let sqs = aws_sdk_sqs::Client::new(config);
    let events = aws_sdk_eventbridge::Client::new(config);
    let sns = aws_sdk_sns::Client::new(config);
    let dynamodb = aws_sdk_dynamodb::Client::new(config);
    let pipes = aws_sdk_pipes::Client::new(config);

    let (queues, stream_arns, topic_arns, bus_arn) = tokio::try_join!(
        queues::create(&sqs, &resources.queues),
        tables::create(&dynamodb, &resources.tables),
        topics::create(&sns, &resources.topics),
        bus::create(&events, &resources.bus),
    )?;
    // A rule's ARN follows from the bus's, so policies need not wait for the rules.
    let rule_arn = |bus: RuleBus, rule: &str| bus::rule_arn(&bus_arn, bus, rule);
    let default_bus = bus::default_bus_arn(&bus_arn);
    tokio::try_join!(
        queues::allow_senders(&sqs, &resources.queues, &queues, &rule_arn, &topic_arns),
        bus::create_rules(&events, resources, &queues.arns),
        topics::subscribe(&sns, &resources.subscriptions, &topic_arns, &queues.arns),
        mail::create(config, resources, &default_bus),
    )?;
    // The rules are in place before the first outbox item can leave.
    Box::pin(pipes::create(&pipes, &resources.pipes, &stream_arns, &queues.arns, &bus_arn)).await?;
    let bucket_names = Box::pin(storage(resources, config, &bus_arn, Wanted::Created)).await?;
    outputs(resources, queues, topic_arns, bucket_names)
}

#[derive(Clone, Copy)]
enum Wanted {
    Created,
    Located,
}

/// Creates or finds buckets and keys; returns the buckets' names by their physical ones. Without any, S3 and KMS are not called, which other emulators may not have.
async fn storage(
    resources: &Resources,
    config: &SdkConfig,
    bus_arn: &str,
    wanted: Wanted,
) -> Result<BTreeMap<String, String>, ProvisionError> {
    let mut bucket_names = BTreeMap::new();
    if !resources.buckets.is_empty() {
        let place = place(resources, bus_arn)?;
        let s3 = buckets::client(config);
        bucket_names = match wanted {
            Wanted::Created => Box::pin(buckets::create(&s3, &resources.buckets, &place)).await?,
            Wanted::Located => buckets::locate(&s3, &resources.buckets, &place).await?,
        };
    }
    if !resources.keys.is_empty() {
        let kms = aws_sdk_kms::Client::new(config);
        match wanted {
            Wanted::Created => keys::create(&kms, &resources.keys).await?,
            Wanted::Located => keys::locate(&kms, &resources.keys).await?,
        }
    }
    Ok(bucket_names)
}

/// Returns the account and the region, which the bus's ARN names.
fn place(resources: &Resources, bus_arn: &str) -> Result<buckets::Place, ProvisionError> {
    buckets::Place::of(bus_arn)
        .ok_or_else(|| error::missing("DescribeEventBus", &resources.bus, "an ARN with account and region"))
}

/// Finds the resources that [`provision`] would create, and changes nothing: for those that CloudFormation created.
///
/// # Errors
/// [`ProvisionError::Absent`] with the first resource that does not exist; otherwise the call that failed.
pub async fn locate(resources: &Resources, config: &SdkConfig) -> Result<Outputs, ProvisionError> {
    let sqs = aws_sdk_sqs::Client::new(config);
    let events = aws_sdk_eventbridge::Client::new(config);
    let sns = aws_sdk_sns::Client::new(config);
    let dynamodb = aws_sdk_dynamodb::Client::new(config);
    let (queues, (), topic_arns, bus_arn) = Box::pin(async {
        tokio::try_join!(
            queues::locate(&sqs, &resources.queues),
            tables::locate(&dynamodb, &resources.tables),
            topics::locate(&sns, &resources.topics),
            bus::locate(&events, &resources.bus),
        )
    })
    .await?;
    let bucket_names = Box::pin(storage(resources, config, &bus_arn, Wanted::Located)).await?;
    outputs(resources, queues, topic_arns, bucket_names)
}

fn outputs(
    resources: &Resources,
    queues: queues::Queues,
    topic_arns: BTreeMap<String, String>,
    bucket_names: BTreeMap<String, String>,
) -> Result<Outputs, ProvisionError> {
    let environments = resources
        .services
        .iter()
        .map(|service| {
            let variables = service
                .variables
                .iter()
                .map(|(name, value)| {
                    Ok((name.clone(), value_of(value, &queues.urls, &topic_arns, &bucket_names)?))
                })
                .collect::<Result<_, ProvisionError>>()?;
            Ok((service.service.clone(), variables))
        })
        .collect::<Result<_, ProvisionError>>()?;
    let (queue_urls, queue_arns) = (queues.urls, queues.arns);
    Ok(Outputs { environments, queue_urls, queue_arns, topic_arns, bucket_names })
}

fn value_of(
    variable: &Variable,
    queue_urls: &BTreeMap<String, String>,
    topic_arns: &BTreeMap<String, String>,
    bucket_names: &BTreeMap<String, String>,
) -> Result<String, ProvisionError> {
    match variable {
        Variable::Text(text) | Variable::PipeName(text) => Ok(text.clone()),
        Variable::QueueUrl(queue) => error::known(queue_urls, queue).map(str::to_owned),
        Variable::TopicArn(topic) => error::known(topic_arns, topic).map(str::to_owned),
        Variable::BucketName(bucket) => error::known(bucket_names, bucket).map(str::to_owned),
    }
}
