//! Every operation with made-up parameters: there is always an answer, no service fails, and all of them work afterwards.
//!
//! `LOCAL_CLOUD_FUZZ_S` sets the seconds, `LOCAL_CLOUD_FUZZ_SEED` repeats a run's choices.

use std::time::{Duration, Instant};

use aws_models::{Choices, Model, Service};
use base64::Engine as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use sha2::Digest as _;

use crate::support::{ACCOUNT, Cloud, cloud};

const CLIENTS: u64 = 8;
const DEFAULT_SECONDS: u64 = 4;
/// Longer than any long poll.
const PATIENCE: Duration = Duration::from_secs(30);

const SERVICES: [(Service, &str, Protocol); 11] = [
    (Service::Sqs, "sqs", Protocol::Json("AmazonSQS")),
    (Service::DynamoDb, "dynamodb", Protocol::Json("DynamoDB_20120810")),
    (Service::DynamoDbStreams, "dynamodb", Protocol::Json("DynamoDBStreams_20120810")),
    (Service::Events, "events", Protocol::Json("AWSEvents")),
    (Service::Sqs, "sqs", Protocol::Query),
    (Service::Sns, "sns", Protocol::Query),
    (Service::Ses, "ses", Protocol::Query),
    (Service::SesV2, "ses", Protocol::Rest),
    (Service::Pipes, "pipes", Protocol::Rest),
    (Service::Kms, "kms", Protocol::Json("TrentService")),
    (Service::S3, "s3", Protocol::RestXml),
];

#[derive(Clone, Copy)]
enum Protocol {
    Json(&'static str),
    Query,
    Rest,
    RestXml,
}

/// Texts that lead deep into the services: names of what exists, expressions, documents.
const TEXTS: &[&str] = &[
    "",
    "a",
    "0",
    "-1",
    "q1",
    "q2.fifo",
    "t1",
    "b1",
    "r1",
    "All",
    "None",
    "default",
    "pk",
    "sk",
    "gk",
    "#n",
    ":v",
    ":w",
    "index",
    "true",
    "TRIM_HORIZON",
    "arn:aws:sqs:eu-central-1:000000000000:q1",
    "arn:aws:sqs:eu-central-1:000000000000:nowhere",
    "arn:aws:sns:eu-central-1:000000000000:t1",
    "arn:aws:events:eu-central-1:000000000000:event-bus/default",
    "arn:aws:iam::000000000000:role/r",
    "pk = :v AND sk BETWEEN :w AND :v",
    "pk = :v AND begins_with(sk, :w)",
    "SET #n = :v REMOVE sk ADD gk :w",
    "attribute_not_exists(pk) OR size(#n) > :v",
    "pk, #n[0].a, sk",
    "#n = :v",
    "{}",
    "[]",
    "null",
    "\"",
    "{\"a\":[\"b\"]}",
    "{\"source\":[{\"prefix\":\"a\"}],\"detail\":{\"$or\":[{\"x\":[1]},{\"y\":[{\"exists\":false}]}]}}",
    "{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-central-1:000000000000:q1\",\"maxReceiveCount\":1}",
    "{\"default\":\"m\"}",
    "rate(5 minutes)",
    "cron(0 12 * * ? *)",
    "a@b.example",
    "Ada <a@b.example>, x@y.example",
    "$.detail.a",
    "<a> \"<b>\"",
    "\u{0}",
    "ä\u{fffe}😀",
    "1e400",
    "-0.000",
    "99999999999999999999999999999999999999999",
];

struct Chosen(StdRng);

impl Choices for Chosen {
    fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit.max(1))
    }

    fn text(&mut self, member: &str) -> String {
        if self.below(6) > 0 {
            let known = match member {
                "TableName" | "ResourceArn" => "table",
                "IndexName" => "index",
                "QueueUrl" => "/000000000000/q1",
                "QueueName" => "q1",
                "TopicArn" | "TargetArn" => "arn:aws:sns:eu-central-1:000000000000:t1",
                "AttributeType" | "DataType" => ["S", "N", "String", "Number.x"][self.below(4)],
                "KeySchema" | "AttributeName" => ["pk", "sk", "gk"][self.below(3)],
                "Endpoint" => "arn:aws:sqs:eu-central-1:000000000000:q1",
                "Protocol" => "sqs",
                "Bucket" => ["bucket", "other"][self.below(2)],
                "KeyId" | "TargetKeyId" => "alias/a",
                "AliasName" => ["alias/a", "alias/b"][self.below(2)],
                "EventBusName" => "default",
                "Item" | "Key" | "ExclusiveStartKey" => ["pk", "sk"][self.below(2)],
                "ExpressionAttributeValues" => [":v", ":w"][self.below(2)],
                "ExpressionAttributeNames" => "#n",
                _ => "",
            };
            if !known.is_empty() {
                return known.to_owned();
            }
        }
        match self.below(20) {
            0 => "x".repeat(self.below(3_000)),
            _ => TEXTS[self.below(TEXTS.len())].to_owned(),
        }
    }

    fn integer(&mut self, member: &str) -> i64 {
        match member {
            "WaitTimeSeconds" => 0,
            _ => [-1, 0, 1, 2, 5, 10, 99, 1_000, 1_700_000_000, i64::from(i32::MAX), i64::MAX, i64::MIN]
                [self.below(12)],
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_parameter_of_any_operation_makes_a_service_fail() {
    let cloud = cloud().await;
    crate::s3::bucket(&cloud, "bucket").await;
    let key = cloud.kms.create_key().send().await.unwrap().key_metadata.unwrap().key_id;
    cloud.kms.create_alias().alias_name("alias/a").target_key_id(key).send().await.unwrap();
    let seconds = number("LOCAL_CLOUD_FUZZ_S").unwrap_or(DEFAULT_SECONDS);
    let seed = number("LOCAL_CLOUD_FUZZ_SEED").unwrap_or_else(|| rand::rng().random());
    println!("LOCAL_CLOUD_FUZZ_SEED={seed}");
    let until = Instant::now() + Duration::from_secs(seconds);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let endpoint = cloud.local.endpoint_url();
            tokio::spawn(async move { client_until(until, endpoint, seed.wrapping_add(client)).await })
        })
        .collect();
    let mut requests = 0;
    for client in clients {
        requests += client.await.unwrap();
    }
    println!("{requests} requests");
    assert!(requests > 100 * seconds, "{requests} requests in {seconds} s");
    everything_works(&cloud).await;
    cloud.local.shutdown().await;
}

#[expect(clippy::disallowed_methods, reason = "only whoever starts the tests can say how long")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

async fn client_until(until: Instant, endpoint: String, seed: u64) -> u64 {
    let mut choices = Chosen(StdRng::seed_from_u64(seed));
    let models: Vec<_> = SERVICES.iter().map(|(service, _, _)| Model::of(*service).unwrap()).collect();
    let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let mut requests = 0;
    while Instant::now() < until {
        let index = choices.below(SERVICES.len());
        let (_, signed_for, protocol) = SERVICES[index];
        let model = &models[index];
        let operation = model.operations.keys().nth(choices.below(model.operations.len())).unwrap();
        let input = model.sample(operation, &mut choices);
        let request = request(&http, &endpoint, model, protocol, operation, &input).header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential=fuzz/20260101/eu-central-1/{signed_for}/aws4_request"),
        );
        let response = request.send().await.unwrap_or_else(|error| panic!("{operation} {input}: {error}"));
        let status = response.status();
        let body = response.text().await.unwrap();
        // S3's answer to what it does not implement.
        let fails = status.is_server_error() && status != 501;
        assert!(!fails, "{operation} {input}: {status} {body}");
        requests += 1;
    }
    requests
}

fn request(
    http: &reqwest::Client,
    endpoint: &str,
    model: &Model,
    protocol: Protocol,
    operation: &str,
    input: &Value,
) -> reqwest::RequestBuilder {
    match protocol {
        Protocol::Json(target) => http
            .post(endpoint)
            .header("x-amz-target", format!("{target}.{operation}"))
            .body(input.to_string()),
        Protocol::Query => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("Action", operation);
            flatten("", input, &mut |name, text| {
                form.append_pair(name, text);
            });
            http.post(endpoint).body(form.finish())
        }
        Protocol::RestXml => rest_xml(http, endpoint, model, operation, input),
        Protocol::Rest => {
            let (method, template) = model.route_of(operation).unwrap();
            let path: Vec<_> = template
                .split('/')
                .map(|part| match part.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
                    Some(label) => {
                        let text = input[label].as_str().filter(|text| !text.is_empty()).unwrap_or("p1");
                        form_urlencoded::byte_serialize(text.as_bytes())
                            .collect::<String>()
                            .replace('+', "%20")
                    }
                    None => part.to_owned(),
                })
                .collect();
            http.request(method.parse().unwrap(), format!("{endpoint}{}", path.join("/")))
                .body(input.to_string())
        }
    }
}

/// Puts members where S3 looks for them, and those of the first structure into a document.
fn rest_xml(
    http: &reqwest::Client,
    endpoint: &str,
    model: &Model,
    operation: &str,
    input: &Value,
) -> reqwest::RequestBuilder {
    let (method, template) = model.route_of(operation).unwrap();
    let label = |name: &str| {
        let text = input[name].as_str().filter(|text| !text.is_empty()).unwrap_or("k");
        form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
    };
    let path = template.replace("{Bucket}", &label("Bucket")).replace("{Key+}", &label("Key"));
    let mut headers = reqwest::header::HeaderMap::new();
    let mut parameters = form_urlencoded::Serializer::new(String::new());
    let mut body = String::new();
    for (name, value) in input.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) if body.is_empty() => element(name, value, &mut body),
            Value::String(text) if text.is_ascii() && !text.contains(char::is_control) => {
                let header = match name.as_str() {
                    "IfMatch" => "if-match",
                    "IfNoneMatch" => "if-none-match",
                    "Range" => "range",
                    "ContentMD5" => "content-md5",
                    "StorageClass" => "x-amz-storage-class",
                    "ContentEncoding" => "content-encoding",
                    _ => continue,
                };
                headers.insert(header, text.parse().unwrap());
            }
            Value::String(text) => {
                parameters.append_pair(&name.to_lowercase(), text);
            }
            Value::Number(number) => {
                parameters.append_pair("max-keys", &number.to_string());
            }
            _ => {}
        }
    }
    if !body.is_empty() {
        let digest = sha2::Sha256::digest(body.as_bytes());
        let digest = base64::engine::general_purpose::STANDARD.encode(digest);
        headers.insert("x-amz-checksum-sha256", digest.parse().unwrap());
    }
    let separator = if path.contains('?') { '&' } else { '?' };
    let url = format!("{endpoint}{path}{separator}{}", parameters.finish());
    http.request(method.parse().unwrap(), url).headers(headers).body(body)
}

fn element(name: &str, value: &Value, xml: &mut String) {
    if let Value::Array(items) = value {
        return items.iter().for_each(|item| element(name.strip_suffix('s').unwrap_or(name), item, xml));
    }
    xml.extend(["<", name, ">"]);
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| element(name, value, xml)),
        Value::String(text) => xml.push_str(&text.replace('&', "&amp;").replace('<', "&lt;")),
        other => xml.push_str(&other.to_string()),
    }
    xml.extend(["</", name, ">"]);
}

/// Writes an input as a form, with the names that SNS gives to lists and maps.
fn flatten(name: &str, value: &Value, write: &mut impl FnMut(&str, &str)) {
    let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(member, value)| flatten(&below(member), value, write));
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&below(&format!("member.{}", index + 1)), value, write);
            }
        }
        Value::String(text) => write(name, text),
        other => write(name, &other.to_string()),
    }
}

async fn everything_works(cloud: &Cloud) {
    let queue = cloud.queue("after").await;
    cloud.sqs.send_message().queue_url(&queue).message_body("m").send().await.unwrap();
    let received = cloud.sqs.receive_message().queue_url(&queue).wait_time_seconds(5).send().await.unwrap();
    assert_eq!(received.messages().len(), 1);
    let topic = cloud.sns.create_topic().name("after").send().await.unwrap().topic_arn.unwrap();
    cloud.sns.publish().topic_arn(topic).message("m").send().await.unwrap();
    cloud.events.list_event_buses().send().await.unwrap();
    cloud.dynamodb.list_tables().send().await.unwrap();
    cloud.pipes.list_pipes().send().await.unwrap();
    crate::s3::bucket(cloud, "after").await;
    cloud.s3.put_object().bucket("after").key("a").send().await.unwrap();
    cloud.kms.create_key().send().await.unwrap();
    cloud.ses.get_account().send().await.unwrap();
    let health = cloud.http.get(cloud.url("/_local/health")).send().await.unwrap();
    assert!(health.status().is_success());
    assert!(queue.contains(ACCOUNT));
}
