//! The permissions that a call needs: which actions, on which resources.
//!
//! An action mostly has the name of its operation; where it does not, a comment gives the source. Resources are
//! determined for what services do with queues, tables, topics, buses and mail. For requests that create such things the
//! action is enough.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::permission::{ANY, Permission};
use crate::call::{Call, Service};
use crate::kms;
use crate::ses::bare_address;

/// The owner of resources that a request names without an ARN.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) region: &'a str,
    pub(super) account_id: &'a str,
}

impl Place<'_> {
    /// Returns the ARN of a resource that is given by ARN or by name.
    fn arn(self, service: &str, kind: &str, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        format!("arn:aws:{service}:{}:{}:{kind}{name}", self.region, self.account_id)
    }

    fn table(self, name: &str) -> String {
        self.arn("dynamodb", "table/", name)
    }
}

/// Returns the permissions that the call needs.
pub(super) fn permissions(call: &Call, place: Place<'_>) -> BTreeSet<Permission> {
    let pairs = match call.service {
        Service::Sqs => sqs(call, place),
        Service::DynamoDb | Service::DynamoDbStreams => dynamodb(call, place),
        Service::Events => events(call, place),
        Service::Sns => sns(call, place),
        Service::SesV2 => return ses_v2(call, place),
        Service::S3 => s3(call),
        Service::Kms => return kms(call, place),
        Service::Ses | Service::Pipes | Service::Sts | Service::Unknown => Vec::new(),
    };
    let mut permissions: BTreeSet<_> = pairs
        .into_iter()
        .map(|(action, resource)| Permission { action, resource, context: BTreeMap::new() })
        .collect();
    if permissions.is_empty() {
        let action = format!("{}:{}", call.service.name(), call.operation);
        permissions.insert(Permission { action, resource: ANY.to_owned(), context: BTreeMap::new() });
    }
    permissions
}

/// Returns the bus, the pipe or the object that a call names although its permissions do not differ by resource.
pub(super) fn also_named(call: &Call, place: Place<'_>) -> Option<String> {
    let member = |name: &str| call.input.get(name).and_then(Value::as_str);
    match call.service {
        Service::Events if call.operation.ends_with("EventBus") => {
            member("Name").map(|bus| place.arn("events", "event-bus/", bus))
        }
        Service::Events => member("EventBusName").map(|bus| place.arn("events", "event-bus/", bus)),
        Service::Pipes => member("Name").map(|pipe| place.arn("pipes", "pipe/", pipe)),
        Service::S3 => {
            member("Bucket").zip(member("Key")).map(|(bucket, key)| format!("arn:aws:s3:::{bucket}/{key}"))
        }
        _ => None,
    }
}

/// Batches have no separate action:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api.html>
fn sqs(call: &Call, place: Place<'_>) -> Vec<(String, String)> {
    let member = |name: &str| call.input.get(name).and_then(Value::as_str);
    let name = match (member("QueueUrl"), member("QueueName"), member("SourceArn")) {
        (Some(url), _, _) => url.rsplit('/').next().unwrap_or(url),
        (None, Some(name), _) | (None, None, Some(name)) => name,
        (None, None, None) => return Vec::new(),
    };
    let action = call.operation.strip_suffix("Batch").unwrap_or(&call.operation);
    vec![(format!("sqs:{action}"), place.arn("sqs", "", name))]
}

/// A transaction is authorized by its action on each item:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>
///
/// Streams share DynamoDB's prefix:
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>
fn dynamodb(call: &Call, place: Place<'_>) -> Vec<(String, String)> {
    let action = || format!("dynamodb:{}", call.operation);
    // The most frequent calls name one table and nothing else.
    if matches!(call.operation.as_str(), "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem") {
        let table = call.input.get("TableName").and_then(Value::as_str);
        return table.map(|table| (action(), place.table(table))).into_iter().collect();
    }
    let member = |name: &str| call.input[name].as_str();
    let actions = call.input["TransactItems"].as_array().into_iter().flatten();
    let in_transaction = actions.filter_map(Value::as_object).flatten().filter_map(|(kind, item)| {
        Some((format!("dynamodb:{kind}Item"), place.table(item["TableName"].as_str()?)))
    });
    let tables = call.input["RequestItems"].as_object().into_iter().flat_map(Map::keys);
    let in_batch = tables.map(|table| (action(), place.table(table)));
    let one = member("TableName").map(|table| {
        let table = place.table(table);
        let resource = member("IndexName").map(|index| format!("{table}/index/{index}"));
        (action(), resource.unwrap_or(table))
    });
    let stream = member("StreamArn").map(|arn| (action(), arn.to_owned()));
    in_transaction.chain(in_batch).chain(one).chain(stream).collect()
}

fn events(call: &Call, place: Place<'_>) -> Vec<(String, String)> {
    if call.operation != "PutEvents" {
        return Vec::new();
    }
    let entries = call.input["Entries"].as_array().into_iter().flatten();
    entries
        .map(|entry| {
            let bus = place.arn("events", "event-bus/", entry["EventBusName"].as_str().unwrap_or("default"));
            ("events:PutEvents".to_owned(), bus)
        })
        .collect()
}

/// `sns:Publish` also covers batches:
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html>
fn sns(call: &Call, _: Place<'_>) -> Vec<(String, String)> {
    let named = ["TopicArn", "TargetArn"].into_iter().find_map(|name| call.input[name].as_str());
    let action = call.operation.strip_suffix("Batch").unwrap_or(&call.operation);
    named.map(|arn| (format!("sns:{action}"), arn.to_owned())).into_iter().collect()
}

/// Many operations need an action of another name:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
///
/// Roles permit all objects of a bucket or none, so they are one resource here.
fn s3(call: &Call) -> Vec<(String, String)> {
    let Some(bucket) = call.input["Bucket"].as_str() else {
        let action = if call.operation == "ListBuckets" { "ListAllMyBuckets" } else { &call.operation };
        return vec![(format!("s3:{action}"), ANY.to_owned())];
    };
    let (action, of_objects) = match call.operation.as_str() {
        "GetObject" | "HeadObject" => ("GetObject", true),
        "DeleteObject" | "DeleteObjects" => ("DeleteObject", true),
        "PutObject" => ("PutObject", true),
        "ListObjectsV2" | "ListObjects" | "HeadBucket" => ("ListBucket", false),
        "PutBucketEncryption" | "DeleteBucketEncryption" => ("PutEncryptionConfiguration", false),
        "GetBucketEncryption" => ("GetEncryptionConfiguration", false),
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => ("PutLifecycleConfiguration", false),
        "GetBucketLifecycleConfiguration" => ("GetLifecycleConfiguration", false),
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => ("PutBucketPublicAccessBlock", false),
        "GetPublicAccessBlock" => ("GetBucketPublicAccessBlock", false),
        "PutObjectLockConfiguration" => ("PutBucketObjectLockConfiguration", false),
        "GetObjectLockConfiguration" => ("GetBucketObjectLockConfiguration", false),
        "DeleteBucketOwnershipControls" => ("PutBucketOwnershipControls", false),
        "DeleteBucketTagging" => ("PutBucketTagging", false),
        other => (other, false),
    };
    let objects = if of_objects { "/*" } else { "" };
    vec![(format!("s3:{action}"), format!("arn:aws:s3:::{bucket}{objects}"))]
}

/// A call that names no key is about the one in its ciphertext. One that names an alias is authorized by the key behind
/// it; the alias is recorded, which is known beforehand. Of the encryption context, the entry that roles name.
fn kms(call: &Call, place: Place<'_>) -> BTreeSet<Permission> {
    let named = call.input["KeyId"].as_str().map(str::to_owned);
    let key = named.or_else(|| kms::key_of(call.input["CiphertextBlob"].as_str()?));
    let resource = key.map_or_else(
        || ANY.to_owned(),
        |key| place.arn("kms", if key.starts_with("alias/") { "" } else { "key/" }, &key),
    );
    let service = call.input["EncryptionContext"]["service"].as_str();
    let context = service.map(|service| ("kms:EncryptionContext:service", service.to_owned()));
    let action = format!("kms:{}", call.operation);
    BTreeSet::from([Permission { action, resource, context: context.into_iter().collect() }])
}

/// The identity is assumed to be the address; AWS takes its domain if only that is verified. A raw mail needs
/// `ses:SendRawEmail`, as in the first version of the API. A mail with a configuration set needs the same for the set.
///
/// Resources and condition keys: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html>
fn ses_v2(call: &Call, place: Place<'_>) -> BTreeSet<Permission> {
    let sender = call.input["FromEmailAddress"].as_str().map(bare_address);
    let action = match call.operation.as_str() {
        "SendEmail" if !call.input["Content"]["Raw"].is_null() => "SendRawEmail",
        operation => operation,
    };
    let context: BTreeMap<_, _> =
        sender.map(|sender| ("ses:FromAddress", sender.to_owned())).into_iter().collect();
    let identity = sender.map_or_else(|| ANY.to_owned(), |sender| place.arn("ses", "identity/", sender));
    let set = call.input["ConfigurationSetName"].as_str().filter(|_| sender.is_some());
    let set = set.map(|set| place.arn("ses", "configuration-set/", set));
    std::iter::once(identity)
        .chain(set)
        .map(|resource| Permission { action: format!("ses:{action}"), resource, context: context.clone() })
        .collect()
}
