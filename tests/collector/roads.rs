//! Two roads to X-Ray: both the local cloud and the collector convert spans to documents. The same spans must become the
//! same documents, or a developer sees something else than X-Ray will show.

use std::collections::BTreeMap;

use local_cloud::LocalCloud;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};

use super::{Addresses, Collector, another_cloud, program, spans, trace};
use crate::documents::Documents;
use crate::tee::{Tee, post};
use crate::world::{World, sdk_config, until};

/// Documents by trace and id.
type ById = BTreeMap<(String, String), Value>;

#[tokio::test(flavor = "multi_thread")]
async fn both_roads_give_the_same_documents() {
    let Some(program) = program().await else { return };
    // One road: services, local cloud. A tee records the requests.
    let tee = Tee::start().await;
    let resource = "cloud.provider=aws,cloud.platform=aws_ecs,aws.ecs.launchtype=fargate,cloud.account.id=123456789012,\
                    aws.log.group.names=/foostore/services";
    let world =
        World::start_with(&["--otlp-endpoint", &tee.url], &[("OTEL_RESOURCE_ATTRIBUTES", resource)]).await;
    tee.forward_to(&world.otlp);
    let mut traces = spans_of_services(&world).await;
    let http = reqwest::Client::new();
    for request in spans::made_up() {
        traces.push(trace_of(&request));
        let status = post(&http, &world.otlp, request.encode_to_vec()).await;
        assert!(status.is_success(), "{status}");
        tee.keep(request.encode_to_vec());
    }
    let direct = documents(&world.config, &traces).await;

    // The other road: the same requests, collector, another local cloud.
    let cloud = another_cloud().await;
    let addresses = Addresses::reserved();
    let settings = [("XRAY_ENDPOINT", cloud.endpoint_url()), ("METRICS_EXPORTER", "debug".to_owned())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let collector = Collector::start(&program, &addresses, &settings).await;
    for request in tee.kept() {
        let status = post(&http, &addresses.otlp(), request).await;
        assert!(status.is_success(), "{status}");
    }
    let collected = collected(&cloud, &traces, direct.len()).await;

    let differences: Vec<_> = direct
        .iter()
        .filter_map(|(id, document)| difference(document, collected.get(id).unwrap_or(&Value::Null)))
        .collect();
    assert!(differences.is_empty(), "local cloud, then collector:\n{}", differences.join("\n"));
    world.stop().await;
    collector.stop().await;
    cloud.shutdown().await;
}

async fn spans_of_services(world: &World) -> Vec<String> {
    let mut traces = Vec::new();
    for event in [trace::enrolled().1, trace::renamed("Augusta").1] {
        let trace_id = world.send(&event, &[]).await;
        Documents::connected(world, &trace_id, None).await;
        traces.push(trace_id);
    }
    for fault in [
        json!({"service": "ses", "operation": "SendEmail", "error": "500", "times": 1}),
        json!({"service": "dynamodb", "operation": "TransactWriteItems", "error": "throttle", "times": 3}),
        json!({"service": "events", "operation": "PutEvents", "error": "500", "times": 1}),
    ] {
        world.fault(&fault).await;
        let trace_id = world.send(&trace::renamed("Ada").1, &[]).await;
        until("the mail to be sent after all", || async {
            let documents = Documents::get(world, &trace_id).await?;
            let sent = documents.all().iter().any(|call| call["name"] == "SES" && call["fault"] == false);
            let whole = documents.segments().filter(|segment| segment["name"] == "email").count();
            let calls = documents.all().iter().filter(|call| call["name"] == "SES").count();
            (sent && whole == calls).then_some(())
        })
        .await;
        traces.push(trace_id);
    }
    let (root, _) = trace::malformed_message(world).await;
    until("the trace of the dead letter", || async {
        Documents::get(world, &root).await?.has_segment("membership").then_some(())
    })
    .await;
    traces.push(root);
    traces
}

async fn documents(config: &aws_config::SdkConfig, traces: &[String]) -> ById {
    let xray = aws_sdk_xray::Client::new(config);
    let mut documents = BTreeMap::new();
    for ids in traces.chunks(5) {
        let output = xray.batch_get_traces().set_trace_ids(Some(ids.to_vec())).send().await.unwrap();
        for segment in
            output.traces.unwrap_or_default().into_iter().flat_map(|t| t.segments.unwrap_or_default())
        {
            let mut document: Value = serde_json::from_str(&segment.document.unwrap()).unwrap();
            comparable(&mut document);
            let id = ["trace_id", "id"].map(|field| document[field].as_str().unwrap().to_owned());
            documents.insert(id.into(), document);
        }
    }
    documents
}

/// Returns the documents of the other road, once there are as many.
async fn collected(cloud: &LocalCloud, traces: &[String], expected: usize) -> ById {
    let config = sdk_config(&cloud.endpoint_url());
    until("the collector's documents", || async {
        let documents = documents(&config, traces).await;
        (documents.len() >= expected).then_some(documents)
    })
    .await
}

/// Removes ids that are generated for each document, and normalises what JSON can express in two ways.
fn comparable(document: &mut Value) {
    if document["trace_id"].as_str().unwrap().starts_with(spans::TRACES) {
        for field in ["id", "parent_id"] {
            if document[field].as_str().is_some_and(|id| !spans::IDS.iter().any(|ours| id.contains(ours))) {
                document[field] = "new".into();
            }
        }
    }
    for exception in document["cause"]["exceptions"].as_array_mut().into_iter().flatten() {
        exception["id"] = Value::Null;
    }
    same_form(document);
}

/// Removes null fields, and turns `2.0` into `2`.
fn same_form(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(same_form);
        }
        Value::Array(items) => items.iter_mut().for_each(same_form),
        Value::Number(number) => *value = json!(number.as_f64()),
        _ => {}
    }
}

/// Returns the fields that differ, or `None`. Times may differ by the precision of a 64-bit float.
fn difference(left: &Value, right: &Value) -> Option<String> {
    let empty = serde_json::Map::new();
    let fields = |value: &Value| value.as_object().unwrap_or(&empty).clone();
    let (left, right) = (fields(left), fields(right));
    let close = |key: &str| {
        let time = |fields: &serde_json::Map<String, Value>| fields.get(key)?.as_f64();
        let times = ["start_time", "end_time"].contains(&key).then(|| time(&left).zip(time(&right)));
        times.flatten().is_some_and(|(left, right)| (left - right).abs() < 1e-6)
    };
    let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
    let different: Vec<_> = keys
        .filter(|key| left.get(*key) != right.get(*key) && !close(key))
        .map(|key| format!("  {key}: {:?} / {:?}", left.get(key), right.get(key)))
        .collect();
    (!different.is_empty()).then(|| format!("{} {}\n{}", left["id"], left["name"], different.join("\n")))
}

fn trace_of(request: &ExportTraceServiceRequest) -> String {
    let id = &request.resource_spans[0].scope_spans[0].spans[0].trace_id;
    xray::TraceId::from_bytes(id.as_slice().try_into().unwrap()).to_string()
}
