//! A rule's targets, and which of them are accepted.

use serde_json::Value;

use super::errors::{invalid, malformed_arn, unsupported};
use super::input::Input;
use super::names::Names;
use crate::reply::AwsError;
use crate::sqs::Queues;

/// The parameters that are for one kind of target each, with the services whose ARNs they go with. Those for queues go with
/// any target.
const PARAMETERS: [(&str, &[&str]); 8] = [
    ("EcsParameters", &["ecs"]),
    ("KinesisParameters", &["kinesis"]),
    ("BatchParameters", &["batch"]),
    ("HttpParameters", &["events", "execute-api"]),
    ("RedshiftDataParameters", &["redshift", "redshift-serverless"]),
    ("RunCommandParameters", &["ssm"]),
    ("SageMakerPipelineParameters", &["sagemaker"]),
    ("AppSyncParameters", &["appsync"]),
];

#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) destination: Destination,
    pub(super) input: Input,
    pub(super) group_id: Option<String>,
    pub(super) dead_letter_arn: Option<String>,
    /// The target as it was given, for listings.
    pub(super) given: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    Queue,
    Topic,
    Bus(String),
}

/// Why a target is not accepted.
#[derive(Debug)]
pub(super) enum Refused {
    /// As on AWS, where it fails the call.
    Invalid(AwsError),
    /// AWS would accept it.
    Unsupported(AwsError),
}

impl From<AwsError> for Refused {
    fn from(error: AwsError) -> Self {
        Self::Invalid(error)
    }
}

impl Target {
    /// Reads a target of a request that satisfies the model.
    pub(super) fn read(given: &Value, bus: &str, names: &Names, queues: &Queues) -> Result<Self, Refused> {
        let text = |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
        let id = text(given, "Id").unwrap_or_default();
        let arn = text(given, "Arn").unwrap_or_default();
        let service = arn_service(&arn).ok_or_else(|| malformed_arn(&arn))?.to_owned();
        for (parameters, services) in PARAMETERS {
            if given.get(parameters).is_some_and(|value| !value.is_null())
                && !services.contains(&service.as_str())
            {
                return Err(
                    invalid(format!("Parameter(s) {parameters} not supported for target: {id}.")).into()
                );
            }
        }
        let input = Input::read(given, &id)?;
        let group_id = given.get("SqsParameters").and_then(|parameters| text(parameters, "MessageGroupId"));
        if service == "sqs" && arn.to_ascii_lowercase().ends_with(".fifo") && group_id.is_none() {
            return Err(
                invalid(format!("Parameter(s) SqsParameters must be specified for target: {id}.")).into()
            );
        }
        let dead_letter_arn = given.get("DeadLetterConfig").and_then(|config| text(config, "Arn"));
        if let Some(arn) = &dead_letter_arn {
            check_dead_letters(arn, queues)?;
        }
        let destination = destination(&service, &arn, bus, names, queues)?;
        Ok(Self { id, arn, destination, input, group_id, dead_letter_arn, given: given.clone() })
    }
}

fn destination(
    service: &str,
    arn: &str,
    bus: &str,
    names: &Names,
    queues: &Queues,
) -> Result<Destination, Refused> {
    match service {
        "sqs" if queues.url_of(arn).is_ok() => Ok(Destination::Queue),
        "sns" if names.owns_topic(arn) => Ok(Destination::Topic),
        "events" if arn.contains(":event-bus/") => {
            let target = names.bus_name(Some(arn));
            if target == arn {
                return Err(Refused::Unsupported(unsupported("event buses of other accounts and regions")));
            }
            if target == bus {
                return Err(invalid("An event bus cannot target itself.").into());
            }
            Ok(Destination::Bus(target.to_owned()))
        }
        _ => Err(Refused::Unsupported(unsupported(format_args!(
            "the target {arn}: only SQS queues, standard SNS topics and event buses of the same account and region"
        )))),
    }
}

fn check_dead_letters(arn: &str, queues: &Queues) -> Result<(), AwsError> {
    let service = arn_service(arn).ok_or_else(|| malformed_arn(arn))?;
    if service != "sqs" {
        return Err(invalid(format!("{service} is not supported as a dead letter resource.")));
    }
    if arn.to_ascii_lowercase().ends_with(".fifo") {
        return Err(invalid("SQS FIFO is not supported by Dead Letter Queues."));
    }
    match queues.url_of(arn) {
        Ok(_) => Ok(()),
        Err(_) => Err(invalid("The dead-letter queue must be in the rule's account and region.")),
    }
}

/// Returns the service in an ARN, or `None` if it is none.
fn arn_service(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let is_arn = arn == "arn"
        && partition.starts_with("aws")
        && !service.is_empty()
        && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && (account.is_empty() || account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
        && !resource.is_empty();
    is_arn.then_some(service)
}
