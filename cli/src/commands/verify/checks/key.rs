//! Sends an event over the bus and a message over an encrypted topic to queues that are encrypted with a key whose policy
//! is the foundation's.

use anyhow::anyhow;
use aws_sdk_sns::Client;
use envelope::Event as _;

use super::super::assumptions::{KEY_POLICY, KEY_POLICY_TOPIC};
use super::super::bench::{Bench, mark};
use super::super::finding::Finding;
use super::super::scratch::{SEALED, SEALED_NOTICES, SEALED_TOPIC, UnderKey};
use super::{bus, header, undelivered};
use crate::aws_failure::failed;

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    if bench.full.is_none() {
        return Vec::new();
    }
    let (rule, topic) = tokio::join!(rule(bench), topic(bench));
    vec![Finding::from_result(KEY_POLICY, rule), Finding::from_result(KEY_POLICY_TOPIC, topic)]
}

async fn rule(bench: &Bench) -> anyhow::Result<Finding> {
    let mark = mark();
    bus::put(bench, UnderKey::TYPE, &mark, &header::any().to_string())
        .await
        .map_err(|error| failed("PutEvents", error))?
        .map_err(|refused| anyhow!(refused))?;
    delivered(bench, KEY_POLICY, SEALED, &mark).await
}

async fn topic(bench: &Bench) -> anyhow::Result<Finding> {
    let mark = mark();
    let topic = bench.place.arn("sns", &bench.physical(SEALED_NOTICES));
    let sent = Client::new(&bench.place.config).publish().topic_arn(topic).message(&mark).send().await;
    sent.map_err(|error| failed("Publish", error))?;
    delivered(bench, KEY_POLICY_TOPIC, SEALED_TOPIC, &mark).await
}

/// Looks for the message on the encrypted queue, then on the queue for what could not be delivered, which is not encrypted.
async fn delivered(bench: &Bench, name: &'static str, service: &str, mark: &str) -> anyhow::Result<Finding> {
    if bench.inbox(service).await?.take(&[mark], bench.wait).await?.contains_key(mark) {
        return Ok(Finding::holds(name, "it arrived on the encrypted queue"));
    }
    match undelivered::reason(bench, service, mark).await? {
        Some(reason) => Ok(Finding::does_not_hold(name, reason)),
        None => {
            Err(anyhow!(bench.too_late("it arrived neither on the queue nor among what was not delivered")))
        }
    }
}
