//! Why a message was not delivered.

use aws_sdk_sqs::types::Message;

use super::super::bench::Bench;

/// Looks for a message on a service's queue for what could not be delivered, and returns why it is there.
pub(super) async fn reason(bench: &Bench, service: &str, mark: &str) -> anyhow::Result<Option<String>> {
    let message = bench.inbox(&format!("{service}-undelivered")).await?.look(mark).await?;
    Ok(message.as_ref().map(refused))
}

/// Describes why a message was not delivered: EventBridge says so in its attributes
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>), SNS does not.
fn refused(message: &Message) -> String {
    let reason =
        |name: &str| message.message_attributes().and_then(|attributes| attributes.get(name)?.string_value());
    let reasons: Vec<_> = ["ERROR_CODE", "ERROR_MESSAGE"].into_iter().filter_map(reason).collect();
    let reasons = if reasons.is_empty() { "no reason given".to_owned() } else { reasons.join(": ") };
    format!("it was not delivered: {reasons}")
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::types::MessageAttributeValue;

    use super::*;

    #[test]
    fn the_reason_is_that_of_eventbridge() {
        let text = |text: &str| {
            MessageAttributeValue::builder().data_type("String").string_value(text).build().unwrap()
        };
        let message = Message::builder()
            .message_attributes("ERROR_CODE", text("NO_PERMISSIONS"))
            .message_attributes("ERROR_MESSAGE", text("kms:GenerateDataKey"))
            .build();
        assert_eq!(refused(&message), "it was not delivered: NO_PERMISSIONS: kms:GenerateDataKey");
        assert_eq!(refused(&Message::builder().build()), "it was not delivered: no reason given");
    }
}
