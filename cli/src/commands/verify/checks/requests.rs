//! Receives and deletes as consumers do, most of whose requests repeat one of the SDK.

use std::time::Duration;

use aws_sdk_sqs::Client;
use sqs_consumer::queue::{Message, Receipt, Receive};
use sqs_consumer::{Queue as _, SqsQueue};

use super::super::assumptions::QUEUE_REQUESTS;
use super::super::bench::{Bench, mark};
use super::super::finding::Finding;
use crate::aws_failure::failed;
use crate::patience::Patience;

const REQUEST: Receive =
    Receive { max: 10, wait: Duration::from_secs(1), visibility: Duration::from_secs(30) };

/// Takes all messages from the queue of a scratch service.
pub(super) async fn check(bench: &Bench, service: &str) -> Finding {
    Finding::from_result(QUEUE_REQUESTS, receive_and_delete(bench, service).await)
}

async fn receive_and_delete(bench: &Bench, service: &str) -> anyhow::Result<Finding> {
    let inbox = bench.inbox(service).await?;
    let client = Client::new(&bench.place.config);
    let queue = SqsQueue::new(client.clone(), inbox.url(), inbox.url());
    queue.receive(REQUEST).await?;
    if !queue.repeats_requests() {
        return Ok(Finding::inconclusive(
            QUEUE_REQUESTS,
            "the SDK's request is of a kind that is not repeated",
        ));
    }
    let send = client.send_message().queue_url(inbox.url()).message_body(mark());
    send.send().await.map_err(|error| failed("SendMessage", error))?;
    let mut patience = Patience::of(bench.wait);
    loop {
        let messages = match queue.receive(REQUEST).await {
            Ok(messages) => messages,
            Err(error) => return Ok(Finding::does_not_hold(QUEUE_REQUESTS, error.to_string())),
        };
        if !messages.is_empty() {
            return Ok(delete(&queue, &messages).await);
        }
        if !patience.pause().await {
            return Err(anyhow::anyhow!(bench.too_late("no message arrived")));
        }
    }
}

async fn delete(queue: &SqsQueue, messages: &[Message]) -> Finding {
    let receipts: Vec<Receipt> = messages.iter().map(|message| message.receipt.clone()).collect();
    match queue.delete(&receipts).await {
        Ok(rejected) if rejected.is_empty() => {
            Finding::holds(QUEUE_REQUESTS, format!("{} received and deleted", receipts.len()))
        }
        Ok(rejected) => {
            Finding::does_not_hold(QUEUE_REQUESTS, format!("{} deletes were refused", rejected.len()))
        }
        Err(error) => Finding::does_not_hold(QUEUE_REQUESTS, error.to_string()),
    }
}
