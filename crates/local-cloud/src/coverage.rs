//! Renders docs/local-cloud.md: which operations of which service the local cloud answers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::{Call, Service};
use crate::cloud::Cloud;
use crate::gateway::answer_of_service;
use crate::kinder::{SILENT, UNKNOWN_BUS};
use crate::ses::Sent;
use crate::settings::Settings;

const HEAD: &str = "# What the local cloud supports

The local cloud answers what the services and their developers use as AWS does: the same requests are accepted, and the
same refused, with AWS's code and message. Everything else is refused with a clear error, never accepted without effect.

- Every request is checked against AWS's own service model (`crates/aws-models`): required members, lengths, ranges,
  patterns, enumerations and types.
- The rules beyond the models are in `crates/local-cloud/src`, each with its source. The tests in
  `crates/local-cloud/tests` compare them with AWS's documentation and with answers recorded from AWS.
- An operation that is *not supported* fails with `UnknownOperationException`, `InvalidAction` in the query protocol, or
  S3's `NotImplemented`.

- A parameter that AWS would act on and the local cloud cannot is refused too: subscriptions to anything but a queue of the
  same account, targets of rules other than queues, topics and buses, enrichment in a Pipe.

The test `coverage` renders this page: it calls every operation of every service model.

## Besides AWS

The endpoint also serves paths for programs on this machine, which web pages cannot call:

| path | what it is | command |
|---|---|---|
| `/_local/health` | GET whether it is ready | `foostore cloud --health` |
| `/_local/mail` | GET the mail that SES has accepted; DELETE forgets it | `foostore mail` |
| `/_local/webhook` | POST a push, signed by [Standard Webhooks](https://www.standardwebhooks.com); GET the newest 1,000; DELETE forgets them | `foostore pushes` |
| `/_local/apns` | POST a push to a phone, to `/_local/apns/3/device/TOKEN`, as to [Apple's push service](https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns); GET the newest 1,000; DELETE forgets them | |
| `/_local/metrics` | GET the latest value of every metric ([schema](schemas/metrics.json)); DELETE forgets them | `foostore metrics` |
| `/_local/faults` | GET, POST and DELETE faults ([faults.md](faults.md)) | `foostore faults` |
| `/_local/calls` | GET who called what; DELETE forgets it | |

Any program can export spans and metrics to the OTLP address, over gRPC or over HTTP in protobuf or JSON, with gzip or
without. Logs are accepted and discarded. Of metrics the latest values are kept:

- A series is identified by the service and its instance (`service.namespace`, `service.name`, `service.instance.id`), the
  name of the scope, and the metric's name, kind, unit and attributes.
- Cumulative and delta values both become totals. A process that restarts begins at zero, and the total goes on. Totals
  are added up over the instances of a service; gauges are shown for each. Two processes that run at the same time need a
  `service.instance.id` each.
- A gauge, or a counter that also falls, is shown until another process replaces the one that exported it, or for 150
  seconds after the last export.
- Percentiles are interpolated within a bucket, so they are as precise as that is narrow.
- At most 4,000 series are kept, each with at most 1,024 bytes of names and attributes and 160 buckets. They take at most
  32 MiB; the layer itself has some 80 series. What is left out is logged once for each reason, counted in `left_out`, and
  named in the response to its exporter. Summaries are left out.
";

const SERVICES: [(Service, &str); 11] = [
    (Service::Sqs, "SQS"),
    (Service::Sns, "SNS"),
    (Service::Events, "EventBridge"),
    (Service::DynamoDb, "DynamoDB"),
    (Service::DynamoDbStreams, "DynamoDB Streams"),
    (Service::Pipes, "EventBridge Pipes"),
    (Service::SesV2, "SES v2 (operations for sending)"),
    (Service::Ses, "SES v1 (operations for sending)"),
    (Service::S3, "S3"),
    (Service::Kms, "KMS"),
    (Service::Sts, "STS (`GetCallerIdentity` only)"),
];

#[tokio::test]
async fn the_document_lists_what_is_answered() {
    let settings = Settings::default();
    let mails = Sent::open(None, 1_000).unwrap();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let cloud = Cloud::new(&settings, settings.address, mails, stop, tasks);
    let mut page = HEAD.to_owned();
    for (service, title) in SERVICES {
        let supported = supported(&cloud, service).await;
        let answered = supported.values().filter(|supported| **supported).count();
        let share = answered * 100 / supported.len();
        writeln!(page, "\n## {title}: {answered} of {} operations ({share} %)\n", supported.len()).unwrap();
        for (heading, wanted) in [("As AWS", true), ("Not supported", false)] {
            let names: Vec<_> = supported
                .iter()
                .filter(|(_, supported)| **supported == wanted)
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            if !names.is_empty() {
                writeln!(page, "- {heading}: {}", names.join(", ")).unwrap();
            }
        }
    }
    page.push_str("\n## Kinder than AWS, on purpose\n\n| service | on AWS | here |\n|---|---|---|\n");
    for kinder in SILENT.iter().chain([&UNKNOWN_BUS]) {
        writeln!(
            page,
            "| {} | {} ([source]({})) | {} |",
            kinder.service, kinder.on_aws, kinder.source, kinder.here
        )
        .unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/local-cloud.md");
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    if found != page {
        let wanted = std::env::temp_dir().join("local-cloud.md");
        std::fs::write(&wanted, page).unwrap();
        panic!("the document has changed; to accept it: cp {} {}", wanted.display(), file.display());
    }
}

/// Calls every operation without parameters. One that is supported does something or misses them.
async fn supported(cloud: &Cloud, service: Service) -> BTreeMap<String, bool> {
    let mut supported = BTreeMap::new();
    for operation in cloud.models.of(service).unwrap().operations.keys() {
        let call = Call {
            service,
            operation: operation.clone(),
            input: json!({}),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let answer = answer_of_service(cloud, &call).await;
        let refused = answer.is_err_and(|error| error.message.contains("The local cloud does not support"));
        supported.insert(operation.clone(), !refused);
    }
    supported
}
