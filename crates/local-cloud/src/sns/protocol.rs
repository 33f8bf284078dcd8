//! The protocols of subscriptions. AWS's checks of each endpoint apply; then only queues of this account are accepted,
//! since a subscription that delivers nothing would hide that nothing is delivered.

use super::arn::{self, Home};
use super::errors::{invalid_parameter, unsupported};
use crate::reply::AwsError;

pub(super) const SQS: &str = "sqs";

/// Checks a protocol and its endpoint as AWS does.
pub(super) fn check(protocol: &str, endpoint: &str) -> Result<(), AwsError> {
    let reason = match protocol {
        SQS if !arn::is_queue(endpoint) => "SQS endpoint ARN",
        "http" | "https" if !endpoint.starts_with(&format!("{protocol}://")) => {
            "Endpoint must match the specified protocol"
        }
        "email" | "email-json" if !endpoint.contains('@') => "Email address",
        "sms" if !is_phone_number(endpoint) => {
            return Err(AwsError::bad_request(
                "InvalidParameter",
                format!("Invalid SMS endpoint: {endpoint}"),
            ));
        }
        "lambda" if !endpoint.starts_with("arn:") => "Lambda endpoint ARN",
        "application" if !endpoint.starts_with("arn:") => "Application endpoint arn invalid",
        "firehose" if !endpoint.starts_with("arn:") => "Firehose endpoint ARN",
        SQS | "http" | "https" | "email" | "email-json" | "sms" | "lambda" | "application" | "firehose" => {
            return Ok(());
        }
        _ => {
            return Err(invalid_parameter(format!(
                "Amazon SNS does not support this protocol string: {protocol}"
            )));
        }
    };
    Err(invalid_parameter(reason))
}

/// Refuses what AWS delivers to and the local cloud does not.
pub(super) fn check_supported(protocol: &str, endpoint: &str, home: &Home) -> Result<(), AwsError> {
    if protocol != SQS {
        return Err(unsupported("Protocol", format!("subscriptions with the protocol {protocol}, only sqs")));
    }
    if !home.owns_queue(endpoint) {
        return Err(unsupported("Endpoint", "queues of other accounts and regions"));
    }
    Ok(())
}

/// A plus sign and digits, between which may be single separators.
pub(super) fn is_phone_number(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    let separator = |c: char| matches!(c, '-' | '.' | '/' | ' ');
    let groups: Vec<_> = digits.split(separator).collect();
    groups.iter().all(|group| !group.is_empty() && group.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(protocol: &str, endpoint: &str) -> String {
        check(protocol, endpoint).unwrap_err().message
    }

    #[test]
    fn endpoints_must_fit_the_protocol() {
        assert_eq!(
            refusal("test-protocol", "x"),
            "Invalid parameter: Amazon SNS does not support this protocol string: test-protocol"
        );
        for endpoint in ["unknown", "", "http://127.0.0.1:4566/000000000000/q", "arn:aws:sqs:r:1"] {
            assert_eq!(refusal("sqs", endpoint), "Invalid parameter: SQS endpoint ARN");
        }
        assert_eq!(
            refusal("https", "http://a"),
            "Invalid parameter: Endpoint must match the specified protocol"
        );
        for number in ["+15--551234567", "NAA+15551234567", "+15551234567.", "/+15551234567", "+1a234"] {
            assert_eq!(refusal("sms", number), format!("Invalid SMS endpoint: {number}"));
        }
        for number in ["+1234567890", "+12/34-567.890"] {
            assert!(check("sms", number).is_ok());
        }
    }

    #[test]
    fn only_queues_of_this_account_are_supported() {
        let home = Home {
            region: "eu-central-1".to_owned(),
            account: "000000000000".to_owned(),
            queue_region: "eu-central-1".to_owned(),
        };
        assert!(check_supported("sqs", "arn:aws:sqs:eu-central-1:000000000000:q", &home).is_ok());
        for (protocol, endpoint) in [
            ("sqs", "arn:aws:sqs:eu-central-1:111111111111:q"),
            ("sqs", "arn:aws:sqs:us-east-1:000000000000:q"),
            ("sms", "+1234567890"),
        ] {
            let refused = check_supported(protocol, endpoint, &home).unwrap_err();
            assert!(refused.message.contains("the local cloud does not support"), "{}", refused.message);
        }
    }
}
