//! The operations on queues: creating, finding, listing and deleting them, and their attributes, tags and permissions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

use super::attributes::SETTABLE;
use super::errors::{invalid_parameter, no_such_queue, unknown_attribute};
use super::permissions;
use super::queue::Queue;
use super::queues::Queues;
use super::requests::{
    AddPermission, CreateQueue, GetQueueAttributes, GetQueueUrl, ListDeadLetterSourceQueues, ListQueues,
    OfQueue, RemovePermission, SetQueueAttributes, TagQueue, UntagQueue,
};
use crate::reply::AwsError;

const MAX_RESULTS: i64 = 1000;
const MAX_TAGS: usize = 50;
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;

/// The attributes that a request cannot set, in the order in which `All` lists them.
const READ_ONLY: [&str; 6] = [
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
];

pub(super) fn is_queue_attribute(name: &str) -> bool {
    name == "All" || READ_ONLY.contains(&name) || SETTABLE.contains(&name)
}

pub(super) fn create(queues: &Queues, input: CreateQueue) -> Result<Value, AwsError> {
    let tags = input.tags.unwrap_or_default();
    check_tags(&input.queue_name, &tags)?;
    let queue =
        queues.create(&input.queue_name, &input.attributes.unwrap_or_default(), tags, Instant::now())?;
    Ok(json!({"QueueUrl": queue.url}))
}

pub(super) fn url(queues: &Queues, input: &GetQueueUrl) -> Result<Value, AwsError> {
    if input.queue_name.is_empty() {
        return Err(invalid_parameter(
            "Value for parameter QueueName is invalid. Reason: Must specify a queue name.",
        ));
    }
    if input.owner.as_deref().is_some_and(|owner| owner != queues.account()) {
        return Err(no_such_queue());
    }
    let queue = queues.by_name(&input.queue_name).ok_or_else(no_such_queue)?;
    Ok(json!({"QueueUrl": queue.url}))
}

pub(super) fn list(queues: &Queues, input: &ListQueues) -> Result<Value, AwsError> {
    let after = input.next_token.as_deref().map(name_in_token).transpose()?;
    let prefix = input.queue_name_prefix.as_deref().unwrap_or_default();
    let most = page_size(input.max_results)?;
    let found = queues.list(prefix, after.as_deref(), most + 1);
    Ok(page("QueueUrls", &found, most, input.max_results.is_some(), false))
}

pub(super) fn dead_letter_sources(
    queues: &Queues,
    input: &ListDeadLetterSourceQueues,
) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    let after = input.next_token.as_deref().map(name_in_token).transpose()?;
    let most = page_size(input.max_results)?;
    let mut found = queues.sources_of(&queue.arn);
    found.retain(|source| after.as_ref().is_none_or(|after| source.name > *after));
    // The model writes this member with a small letter, and requires it.
    Ok(page("queueUrls", &found, most, input.max_results.is_some(), true))
}

/// Returns one page of queues. As on AWS, only a request with `MaxResults` gets a token for the next one.
fn page(member: &str, found: &[Arc<Queue>], most: usize, paged: bool, required: bool) -> Value {
    let mut answer = Map::new();
    let shown = found.get(..most).unwrap_or(found);
    if required || !shown.is_empty() {
        let urls = shown.iter().map(|queue| Value::from(queue.url.as_str())).collect();
        answer.insert(member.to_owned(), Value::Array(urls));
    }
    if let Some(last) = shown.last().filter(|_| paged && found.len() > most) {
        answer.insert("NextToken".to_owned(), STANDARD.encode(&last.name).into());
    }
    Value::Object(answer)
}

fn page_size(max_results: Option<i64>) -> Result<usize, AwsError> {
    let results = max_results.unwrap_or(MAX_RESULTS);
    usize::try_from(results).ok().filter(|_| (1..=MAX_RESULTS).contains(&results)).ok_or_else(|| {
        invalid_parameter(format!(
            "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and \
             {MAX_RESULTS}."
        ))
    })
}

fn name_in_token(token: &str) -> Result<String, AwsError> {
    STANDARD
        .decode(token)
        .ok()
        .and_then(|name| String::from_utf8(name).ok())
        .ok_or_else(|| invalid_parameter("Invalid or expired next token."))
}

pub(super) fn delete(queues: &Queues, input: &OfQueue) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    queues.delete(&queue, Instant::now());
    Ok(json!({}))
}

pub(super) fn purge(queues: &Queues, input: &OfQueue) -> Result<Value, AwsError> {
    queues.by_url(&input.queue_url)?.purge(Instant::now())?;
    Ok(json!({}))
}

pub(super) fn attributes(queues: &Queues, input: &GetQueueAttributes) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    let names = input.attribute_names.as_deref().unwrap_or_default();
    if let Some(name) = names.iter().find(|name| !is_queue_attribute(name)) {
        return Err(unknown_attribute(name));
    }
    let all = names.iter().any(|name| name == "All");
    let counts = queue.counts(Instant::now())?;
    let attributes = queue.attributes();
    let value = |name: &str| match name {
        "QueueArn" => Some(queue.arn.to_string()),
        "ApproximateNumberOfMessages" => Some(counts.ready.to_string()),
        "ApproximateNumberOfMessagesNotVisible" => Some(counts.in_flight.to_string()),
        "ApproximateNumberOfMessagesDelayed" => Some(counts.delayed.to_string()),
        "CreatedTimestamp" => Some(queue.created.to_string()),
        "LastModifiedTimestamp" => Some(queue.modified().to_string()),
        name => attributes.get(name),
    };
    let found: Map<_, _> = READ_ONLY
        .iter()
        .chain(&SETTABLE)
        .filter(|name| all || names.iter().any(|wanted| wanted == **name))
        .filter_map(|name| Some(((*name).to_owned(), Value::String(value(name)?))))
        .collect();
    Ok(if found.is_empty() { json!({}) } else { json!({"Attributes": found}) })
}

pub(super) fn set_attributes(queues: &Queues, input: &SetQueueAttributes) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    // It is looked up before the queue's lock is taken: the other queue may be this one.
    let mut wanted = queue.attributes();
    wanted.apply(&input.attributes)?;
    if input.attributes.contains_key("RedrivePolicy") {
        queues.check_redrive(wanted.redrive.as_ref(), &queue.arn, queue.fifo)?;
    }
    queue.change_attributes(Instant::now(), |attributes| attributes.apply(&input.attributes))?;
    Ok(json!({}))
}

pub(super) fn add_permission(queues: &Queues, input: &AddPermission) -> Result<Value, AwsError> {
    let AddPermission { queue_url, label, accounts, actions } = input;
    let queue = queues.by_url(queue_url)?;
    queue.change_attributes(Instant::now(), |attributes| {
        let policy = attributes.policy.as_deref();
        attributes.policy = Some(permissions::add(policy, &queue.arn, label, accounts, actions)?);
        Ok(())
    })?;
    Ok(json!({}))
}

pub(super) fn remove_permission(queues: &Queues, input: &RemovePermission) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    queue.change_attributes(Instant::now(), |attributes| {
        let policy = attributes.policy.as_deref();
        attributes.policy = permissions::remove(policy, &queue.arn, &input.label)?;
        Ok(())
    })?;
    Ok(json!({}))
}

pub(super) fn tag(queues: &Queues, input: TagQueue) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    let mut tags = queue.tags();
    tags.extend(input.tags);
    check_tags(&queue.name, &tags)?;
    queue.change_tags(|current| *current = tags);
    Ok(json!({}))
}

pub(super) fn untag(queues: &Queues, input: &UntagQueue) -> Result<Value, AwsError> {
    let queue = queues.by_url(&input.queue_url)?;
    queue.change_tags(|tags| tags.retain(|key, _| !input.tag_keys.contains(key)));
    Ok(json!({}))
}

pub(super) fn tags(queues: &Queues, input: &OfQueue) -> Result<Value, AwsError> {
    let tags = queues.by_url(&input.queue_url)?.tags();
    Ok(if tags.is_empty() { json!({}) } else { json!({"Tags": tags}) })
}

/// Checks tags (SQS developer guide, "Amazon SQS cost allocation tags").
fn check_tags(queue: &str, tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.len() > MAX_TAGS {
        return Err(invalid_parameter(format!("Too many tags added for queue {queue}.")));
    }
    for (key, value) in tags {
        let length = key.chars().count();
        if !(1..=MAX_TAG_KEY).contains(&length) || value.chars().count() > MAX_TAG_VALUE {
            return Err(invalid_parameter(format!(
                "Tag keys must be between 1 and {MAX_TAG_KEY} characters in length, tag values at most \
                 {MAX_TAG_VALUE}."
            )));
        }
        if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            return Err(invalid_parameter("Tag keys that begin with 'aws:' are reserved for system use."));
        }
    }
    Ok(())
}
