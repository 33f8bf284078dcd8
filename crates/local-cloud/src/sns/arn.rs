//! ARNs of topics, subscriptions and queues.

use http::StatusCode;
use uuid::Uuid;

use super::errors::invalid_parameter;
use crate::reply::AwsError;

const MIN_ELEMENTS: usize = 6;
const FIFO_SUFFIX: &str = ".fifo";

/// The account and the region of a request's topics, and the region that has queues.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) region: String,
    pub(super) account: String,
    pub(super) queue_region: String,
}

impl Home {
    pub(super) fn topic_arn(&self, name: &str) -> String {
        format!("arn:aws:sns:{}:{}:{name}", self.region, self.account)
    }

    /// Returns whether an ARN names a topic of this region.
    pub(super) fn has_topic(&self, arn: &str) -> bool {
        arn.split(':').nth(3) == Some(self.region.as_str())
    }

    /// Checks that an ARN names a topic that could be here.
    pub(super) fn check_topic(&self, parameter: &str, arn: &str) -> Result<(), AwsError> {
        let elements = elements(parameter, arn)?;
        match elements[..] {
            ["arn", _, "sns", region, account, name] if region == self.region && !name.is_empty() => {
                if account == self.account {
                    Ok(())
                } else {
                    Err(foreign(arn))
                }
            }
            _ => Err(invalid_parameter(parameter)),
        }
    }

    /// Returns whether an ARN names a queue that could be here.
    pub(super) fn owns_queue(&self, arn: &str) -> bool {
        let elements: Vec<_> = arn.split(':').collect();
        matches!(
            elements[..],
            ["arn", _, "sqs", region, account, name]
                if region == self.queue_region && account == self.account && !name.is_empty()
        )
    }
}

/// Returns whether an ARN names a queue, of whichever account and region.
pub(super) fn is_queue(arn: &str) -> bool {
    let elements: Vec<_> = arn.split(':').collect();
    matches!(
        elements[..],
        ["arn", partition, "sqs", region, account, name]
            if [partition, region, account, name].iter().all(|element| !element.is_empty())
    )
}

/// Returns whether a name or an ARN is that of a FIFO topic or queue.
pub(super) fn is_fifo(name: &str) -> bool {
    name.ends_with(FIFO_SUFFIX)
}

/// Splits the ARN of a subscription into that of its topic and its id.
pub(super) fn subscription(arn: &str) -> Result<(&str, Uuid), AwsError> {
    let elements = elements("SubscriptionArn", arn)?;
    let parts = arn.rsplit_once(':').filter(|_| elements.len() == MIN_ELEMENTS + 1);
    parts
        .and_then(|(topic, id)| Some((topic, Uuid::parse_str(id).ok()?)))
        .ok_or_else(|| invalid_parameter("SubscriptionId"))
}

fn elements<'a>(parameter: &str, arn: &'a str) -> Result<Vec<&'a str>, AwsError> {
    let elements: Vec<_> = arn.split(':').collect();
    if elements.len() < MIN_ELEMENTS {
        return Err(invalid_parameter(format!(
            "{parameter} Reason: An ARN must have at least {MIN_ELEMENTS} elements, not {}",
            elements.len()
        )));
    }
    Ok(elements)
}

/// A topic of another account denies access unless its policy says otherwise.
fn foreign(arn: &str) -> AwsError {
    AwsError::new(
        StatusCode::FORBIDDEN,
        "AuthorizationError",
        format!("Not authorized to access {arn}: the local cloud has the topics of one account only"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        let region = "eu-central-1".to_owned();
        Home { queue_region: region.clone(), region, account: "000000000000".to_owned() }
    }

    fn refusal(arn: &str) -> String {
        home().check_topic("TopicArn", arn).unwrap_err().message
    }

    #[test]
    fn a_topic_of_this_account_and_region_is_accepted() {
        assert!(home().check_topic("TopicArn", &home().topic_arn("t")).is_ok());
    }

    #[test]
    fn aws_counts_the_elements_of_what_is_no_arn() {
        let counted =
            |n| format!("Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not {n}");
        assert_eq!(refusal(""), counted(1));
        assert_eq!(refusal("a:1"), counted(2));
        assert_eq!(refusal("arn:aws:sns:us-east-1:random"), counted(5));
    }

    #[test]
    fn other_regions_services_and_accounts_are_refused() {
        assert_eq!(refusal("arn:aws:sns:us-east-1:000000000000:t"), "Invalid parameter: TopicArn");
        assert_eq!(refusal("arn:aws:sqs:eu-central-1:000000000000:t"), "Invalid parameter: TopicArn");
        assert_eq!(refusal("arn:aws:sns:eu-central-1:000000000000:t:x"), "Invalid parameter: TopicArn");
        let foreign = home().check_topic("TopicArn", "arn:aws:sns:eu-central-1:111111111111:t").unwrap_err();
        assert_eq!(foreign.code, "AuthorizationError");
    }

    #[test]
    fn a_subscription_has_a_topic_and_an_id() {
        let id = Uuid::new_v4();
        let arn = format!("arn:aws:sns:eu-central-1:000000000000:t:{id}");
        assert_eq!(subscription(&arn).unwrap(), ("arn:aws:sns:eu-central-1:000000000000:t", id));
        for wrong in ["arn:aws:sns:us-east-1:111111111111:random", "arn:aws:sns:r:1:t:no-uuid"] {
            assert_eq!(subscription(wrong).unwrap_err().message, "Invalid parameter: SubscriptionId");
        }
    }
}
