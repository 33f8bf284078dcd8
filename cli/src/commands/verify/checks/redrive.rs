//! Lets SQS move a message to the dead-letter queue and back, and looks at what the message keeps.

use ::xray::TraceHeader;
use anyhow::anyhow;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};

use super::super::assumptions::{QUEUE_HEADER, REDRIVE_MOVE_TASK, REDRIVE_RECEIVE_COUNT};
use super::super::bench::{Bench, mark};
use super::super::finding::{Finding, Verdict};
use super::super::inbox::{self, Inbox};
use super::super::scratch::REDRIVE;
use super::{header, requests};
use crate::aws_failure::failed;
use crate::patience::Patience;

/// A message attribute and its value.
const ATTRIBUTE: (&str, &str) = ("channel", "verify");

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    let (mark, sent) = (mark(), header::any());
    let steps = Steps { bench, mark: &mark, sent: &sent };
    let mut findings = vec![Finding::from_result(QUEUE_HEADER, steps.send().await)];
    findings.push(Finding::from_result(REDRIVE_RECEIVE_COUNT, steps.give_up().await));
    findings.push(Finding::from_result(REDRIVE_MOVE_TASK, steps.move_back().await));
    // Last, since it takes whatever is in the queue.
    findings.push(requests::check(bench, REDRIVE).await);
    findings
}

/// The dead-letter queue of [`REDRIVE`].
fn dead_letter() -> String {
    format!("{REDRIVE}-dead-letter")
}

struct Steps<'a> {
    bench: &'a Bench,
    mark: &'a str,
    sent: &'a TraceHeader,
}

impl Steps<'_> {
    async fn send(&self) -> anyhow::Result<Finding> {
        let inbox = self.bench.inbox(REDRIVE).await?;
        let string = || "String".to_owned();
        let attribute =
            MessageAttributeValue::builder().data_type(string()).string_value(ATTRIBUTE.1).build()?;
        let header = MessageSystemAttributeValue::builder()
            .data_type(string())
            .string_value(self.sent.to_string())
            .build()?;
        Client::new(&self.bench.place.config)
            .send_message()
            .queue_url(inbox.url())
            .message_body(self.mark)
            .message_attributes(ATTRIBUTE.0, attribute)
            .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, header)
            .send()
            .await
            .map_err(|error| failed("SendMessage", error))?;
        let message = self.seen_on(&inbox).await?;
        let carried = header::carried(self.sent, inbox::header(&message));
        Ok(Finding::new(QUEUE_HEADER, Verdict::of(carried.unchanged), carried.seen))
    }

    /// Receives until SQS has moved the message.
    async fn give_up(&self) -> anyhow::Result<Finding> {
        let inbox = self.bench.inbox(REDRIVE).await?;
        let dead = self.bench.inbox(&dead_letter()).await?;
        let mut patience = Patience::of(self.bench.wait);
        loop {
            // The receive beyond the maximum moves the message and returns nothing.
            inbox.look(self.mark).await?;
            if let Some(message) = dead.look(self.mark).await? {
                return Ok(kept(REDRIVE_RECEIVE_COUNT, self.sent, &message));
            }
            if !patience.pause().await {
                let what = "the message did not arrive on the dead-letter queue";
                return Err(anyhow!(self.bench.too_late(what)));
            }
        }
    }

    /// Starts move tasks until the message is back: a task moves the messages that are visible when it starts, and just
    /// after a look at the message there may be none.
    async fn move_back(&self) -> anyhow::Result<Finding> {
        let inbox = self.bench.inbox(REDRIVE).await?;
        let client = Client::new(&self.bench.place.config);
        let arn = |logical: &str| self.bench.place.arn("sqs", &self.bench.physical(logical));
        let mut patience = Patience::of(self.bench.wait);
        loop {
            let task = last_move(&client, &arn(&dead_letter())).await?;
            if !task.running {
                client
                    .start_message_move_task()
                    .source_arn(arn(&dead_letter()))
                    .destination_arn(arn(REDRIVE))
                    .send()
                    .await
                    .map_err(|error| failed("StartMessageMoveTask", error))?;
            }
            if let Some(message) = inbox.look(self.mark).await? {
                return Ok(kept(REDRIVE_MOVE_TASK, self.sent, &message));
            }
            if !patience.pause().await {
                let what = format!("the message did not return (last move task: {})", task.text);
                return Err(anyhow!(self.bench.too_late(&what)));
            }
        }
    }

    async fn seen_on(&self, inbox: &Inbox) -> anyhow::Result<Message> {
        let mut patience = Patience::of(self.bench.wait);
        loop {
            if let Some(message) = inbox.look(self.mark).await? {
                return Ok(message);
            }
            if !patience.pause().await {
                return Err(anyhow!(self.bench.too_late("the message did not arrive on the queue")));
            }
        }
    }
}

/// A move task as SQS lists it.
struct Move {
    running: bool,
    text: String,
}

async fn last_move(client: &Client, source_arn: &str) -> anyhow::Result<Move> {
    let listed = client.list_message_move_tasks().source_arn(source_arn).send().await;
    let listed = listed.map_err(|error| failed("ListMessageMoveTasks", error))?;
    let Some(task) = listed.results().first() else {
        return Ok(Move { running: false, text: "none".to_owned() });
    };
    let status = task.status().unwrap_or("no status");
    let reason = task.failure_reason().map(|reason| format!(", {reason}")).unwrap_or_default();
    Ok(Move {
        running: matches!(status, "RUNNING" | "CANCELLING"),
        text: format!("{status}, {} moved{reason}", task.approximate_number_of_messages_moved()),
    })
}

fn kept(name: &'static str, sent: &TraceHeader, message: &Message) -> Finding {
    let carried = header::carried(sent, inbox::header(message));
    let attribute = message
        .message_attributes()
        .and_then(|attributes| attributes.get(ATTRIBUTE.0)?.string_value())
        .is_some_and(|value| value == ATTRIBUTE.1);
    let seen = format!("{}; message attribute {}", carried.seen, if attribute { "kept" } else { "lost" });
    Finding::new(name, Verdict::of(carried.unchanged && attribute), seen)
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::types::MessageSystemAttributeName;

    use super::*;

    #[test]
    fn both_must_be_kept() {
        let sent = header::any();
        let attribute = MessageAttributeValue::builder().data_type("String").string_value("verify").build();
        let whole = Message::builder()
            .attributes(MessageSystemAttributeName::AwsTraceHeader, sent.to_string())
            .message_attributes("channel", attribute.unwrap());
        let without_attribute = whole.clone().set_message_attributes(None);
        let without_header = whole.clone().set_attributes(None);
        let verdict = |message: Message| kept(REDRIVE_MOVE_TASK, &sent, &message).verdict;
        assert_eq!(verdict(whole.build()), Verdict::Holds);
        assert_eq!(verdict(without_attribute.build()), Verdict::DoesNotHold);
        assert_eq!(verdict(without_header.build()), Verdict::DoesNotHold);
    }
}
