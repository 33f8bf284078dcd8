//! A message before it is sent: what SQS checks about it (API reference, `SendMessage`).

use super::attributes::MAX_DELAY;
use super::characters;
use super::deduplication::id_of_content;
use super::errors::{invalid_parameter, invalid_value, missing_parameter};
use super::message::Attributes;
use super::message_attributes;
use super::queue::SendRules;
use crate::reply::AwsError;

#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) body: String,
    pub(super) attributes: Attributes,
    pub(super) trace_header: Option<String>,
    pub(super) group_id: Option<String>,
    pub(super) deduplication_id: Option<String>,
    /// In seconds.
    pub(super) delay: Option<i64>,
}

impl Draft {
    /// Returns the size that counts towards the limits: body and attributes.
    pub(super) fn size(&self) -> usize {
        self.body.len() + message_attributes::size(&self.attributes)
    }

    /// Checks the message, and completes it with the deduplication id of its content where that counts.
    pub(super) fn checked(mut self, rules: SendRules) -> Result<Self, AwsError> {
        if self.body.is_empty() {
            return Err(missing_parameter("MessageBody"));
        }
        if self.size() > rules.max_bytes {
            return Err(invalid_parameter(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
                rules.max_bytes
            )));
        }
        characters::check_body(&self.body)?;
        message_attributes::check(&self.attributes)?;
        if let Some(delay) = self.delay.filter(|delay| !(0..=i64::from(MAX_DELAY)).contains(delay)) {
            return Err(invalid_value(
                delay,
                "DelaySeconds",
                format!("DelaySeconds must be >= 0 and <= {MAX_DELAY}."),
            ));
        }
        for (parameter, id) in
            [("MessageDeduplicationId", &self.deduplication_id), ("MessageGroupId", &self.group_id)]
        {
            if let Some(id) = id {
                characters::check_id(parameter, id)?;
            }
        }
        if rules.fifo {
            self.check_for_fifo()?;
            self.deduplication_id = Some(self.deduplication_id(rules)?);
        } else if let Some(id) = &self.deduplication_id {
            return Err(invalid_value(
                id,
                "MessageDeduplicationId",
                "The request includes a parameter that is not valid for this queue type.",
            ));
        }
        Ok(self)
    }

    fn check_for_fifo(&self) -> Result<(), AwsError> {
        if let Some(delay) = self.delay.filter(|delay| *delay != 0) {
            return Err(invalid_value(
                delay,
                "DelaySeconds",
                "The request include parameter that is not valid for this queue type.",
            ));
        }
        if self.group_id.is_none() {
            return Err(missing_parameter("MessageGroupId"));
        }
        Ok(())
    }

    fn deduplication_id(&self, rules: SendRules) -> Result<String, AwsError> {
        match &self.deduplication_id {
            Some(id) => Ok(id.clone()),
            None if rules.content_based_deduplication => Ok(id_of_content(&self.body)),
            None => Err(no_deduplication_id()),
        }
    }
}

pub(super) fn no_deduplication_id() -> AwsError {
    invalid_parameter(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqs::outgoing::MessageAttributeValue;

    const STANDARD: SendRules =
        SendRules { fifo: false, max_bytes: 1024, content_based_deduplication: false };
    const FIFO: SendRules = SendRules { fifo: true, ..STANDARD };

    fn draft(body: &str) -> Draft {
        Draft { body: body.to_owned(), ..Draft::default() }
    }

    fn refused(draft: Draft, rules: SendRules) -> (String, String) {
        let error = draft.checked(rules).unwrap_err();
        (error.shown_code().to_owned(), error.message)
    }

    #[test]
    fn a_message_has_a_body_of_limited_size() {
        let (code, message) = refused(draft(""), STANDARD);
        assert_eq!(code, "MissingParameter");
        assert_eq!(message, "The request must contain the parameter MessageBody.");
        let mut full = draft(&"a".repeat(1024 - 8));
        full.attributes.insert("k".to_owned(), MessageAttributeValue::string("x"));
        assert!(full.clone().checked(STANDARD).is_ok());
        full.body.push('a');
        let (code, message) = refused(full, STANDARD);
        assert_eq!(code, "InvalidParameterValue");
        assert_eq!(
            message,
            "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."
        );
    }

    #[test]
    fn delays_are_up_to_fifteen_minutes_and_not_for_fifo_queues() {
        for delay in [-1, 901] {
            let (_, message) = refused(Draft { delay: Some(delay), ..draft("m") }, STANDARD);
            assert_eq!(
                message,
                format!(
                    "Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
                )
            );
        }
        let (_, message) = refused(Draft { delay: Some(2), ..draft("m") }, FIFO);
        assert_eq!(
            message,
            "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid \
             for this queue type."
        );
    }

    #[test]
    fn a_fifo_queue_needs_a_group_and_a_deduplication_id() {
        let grouped = Draft { group_id: Some("g".to_owned()), ..draft("m") };
        let (code, message) = refused(draft("m"), FIFO);
        assert_eq!(code, "MissingParameter");
        assert_eq!(message, "The request must contain the parameter MessageGroupId.");
        assert_eq!(refused(grouped.clone(), FIFO).0, "InvalidParameterValue");
        let by_content = SendRules { content_based_deduplication: true, ..FIFO };
        let id = grouped.clone().checked(by_content).unwrap().deduplication_id.unwrap();
        assert_eq!(id.len(), 64);
        let with_id = Draft { deduplication_id: Some("d".to_owned()), ..grouped };
        assert_eq!(with_id.clone().checked(FIFO).unwrap().deduplication_id.as_deref(), Some("d"));
        assert!(with_id.checked(STANDARD).is_err(), "a deduplication id on a standard queue");
    }
}
