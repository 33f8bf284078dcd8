//! The settings of the account, and what holds for all operations.

use aws_models::{Model, Service};
use aws_sdk_xray::error::ProvideErrorMetadata as _;
use aws_sdk_xray::types::{
    EncryptionStatus, EncryptionType, TraceSegmentDestination, TraceSegmentDestinationStatus,
};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn the_destination_of_segments_is_remembered() {
    let served = serve(Settings::default()).await;
    let read = served.client.get_trace_segment_destination().send().await.unwrap();
    assert_eq!(read.destination(), Some(&TraceSegmentDestination::XRay));
    assert_eq!(read.status(), Some(&TraceSegmentDestinationStatus::Active));
    let update = || {
        let call = served.client.update_trace_segment_destination();
        call.destination(TraceSegmentDestination::CloudWatchLogs).send()
    };
    let updated = update().await.unwrap();
    assert_eq!(updated.destination(), Some(&TraceSegmentDestination::CloudWatchLogs));
    let error = update().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidRequestException"));
    assert_eq!(error.message(), Some("The destination is already set to CloudWatchLogs"));
    let read = served.client.get_trace_segment_destination().send().await.unwrap();
    assert_eq!(read.destination(), Some(&TraceSegmentDestination::CloudWatchLogs));
    // Traces are found all the same.
    served.export(flow().into()).await;
    assert_eq!(served.search("").await.len(), 1);
}

#[tokio::test]
async fn the_encryption_is_remembered() {
    let served = serve(Settings::default()).await;
    let read = served.client.get_encryption_config().send().await.unwrap();
    assert_eq!(read.encryption_config().unwrap().r#type(), Some(&EncryptionType::None));
    let put =
        served.client.put_encryption_config().r#type(EncryptionType::Kms).key_id("alias/a").send().await;
    let config = put.unwrap().encryption_config.unwrap();
    assert_eq!((config.status(), config.key_id()), (Some(&EncryptionStatus::Active), Some("alias/a")));
    let read = served.client.get_encryption_config().send().await.unwrap();
    assert_eq!(read.encryption_config(), Some(&config));
    let error = served.client.put_encryption_config().r#type(EncryptionType::Kms).send().await.unwrap_err();
    assert!(error.message().unwrap().contains("KeyId"));
}

#[tokio::test]
async fn a_resource_policy_has_revisions() {
    const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":
        "sns.amazonaws.com"},"Action":"xray:PutTraceSegments","Resource":"*"}]}"#;
    let served = serve(Settings::default()).await;
    let put = |name: &str| served.client.put_resource_policy().policy_name(name).policy_document(DOCUMENT);
    put("a").send().await.unwrap();
    let second = put("a").policy_revision_id("1").send().await.unwrap();
    assert_eq!(second.resource_policy().unwrap().policy_revision_id(), Some("2"));
    let error = put("a").policy_revision_id("1").send().await.unwrap_err().into_service_error();
    assert!(error.is_invalid_policy_revision_id_exception(), "{error:?}");
    let error = put("a").policy_document("[").send().await.unwrap_err().into_service_error();
    assert!(error.is_malformed_policy_document_exception(), "{error:?}");
    let large = DOCUMENT.replace("2012", &"2".repeat(6_000));
    let error = put("a").policy_document(large).send().await.unwrap_err().into_service_error();
    assert!(error.is_policy_size_limit_exceeded_exception(), "{error:?}");
    for name in ["b", "c", "d", "e"] {
        put(name).send().await.unwrap();
    }
    let error = put("f").send().await.unwrap_err().into_service_error();
    assert!(error.is_policy_count_limit_exceeded_exception(), "{error:?}");
    let listed = served.client.list_resource_policies().send().await.unwrap();
    let names: Vec<_> =
        listed.resource_policies().iter().map(|policy| policy.policy_name().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    assert_eq!(listed.resource_policies()[0].policy_document(), Some(DOCUMENT));

    let delete = |revision: &str| {
        served.client.delete_resource_policy().policy_name("a").policy_revision_id(revision).send()
    };
    let error = delete("1").await.unwrap_err().into_service_error();
    assert!(error.is_invalid_policy_revision_id_exception(), "{error:?}");
    delete("2").await.unwrap();
    assert_eq!(served.client.list_resource_policies().send().await.unwrap().resource_policies().len(), 4);
}

/// An engine at a separate endpoint, called without an SDK, which would reject invalid requests before sending them.
struct Endpoint(String);

impl Endpoint {
    async fn new() -> Self {
        let engine = Engine::new(Settings::default()).unwrap();
        Self(format!("http://{}", listen(engine.api_endpoint()).await))
    }

    /// Returns status, error type and body.
    async fn send(&self, method: reqwest::Method, path: &str, body: String) -> (u16, String, Value) {
        let call = reqwest::Client::new().request(method, format!("{}{path}", self.0)).body(body);
        let response = call.send().await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers().get("x-amzn-errortype").map(|kind| kind.to_str().unwrap().to_owned());
        let body = serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default();
        (status, kind.unwrap_or_default(), body)
    }

    async fn post(&self, path: &str, body: Value) -> (u16, String, Value) {
        self.send(reqwest::Method::POST, path, body.to_string()).await
    }
}

#[tokio::test]
async fn inputs_are_checked_against_the_model() {
    let endpoint = Endpoint::new().await;
    let refused = [
        ("/CreateGroup", json!({}), "'groupName' failed to satisfy constraint: Member must not be null"),
        ("/CreateGroup", json!({"GroupName": ""}), "greater than or equal to 1"),
        ("/GetGroup", json!({"GroupARN": "x".repeat(401)}), "less than or equal to 400"),
        ("/CreateSamplingRule", json!({"SamplingRule": {}}), "10 validation errors detected"),
        ("/SamplingTargets", json!({}), "'samplingStatisticsDocuments'"),
        ("/PutEncryptionConfig", json!({"Type": "AES"}), "enum value set: [NONE, KMS]"),
        ("/Insight", json!({"InsightId": "1"}), "regular expression pattern"),
        ("/InsightSummaries", json!({"StartTime": 0, "EndTime": 0, "MaxResults": 101}), "equal to 100"),
        ("/TagResource", json!({"ResourceARN": "a", "Tags": [{"Key": "k"}]}), "'tags.1.member.value'"),
        ("/PutResourcePolicy", json!({"PolicyName": "a b", "PolicyDocument": ""}), "[\\w+=,.@-]+"),
        ("/UpdateTraceSegmentDestination", json!({"Destination": "S3"}), "[XRay, CloudWatchLogs]"),
    ];
    for (path, body, message) in refused {
        let (status, kind, answer) = endpoint.post(path, body).await;
        assert_eq!((status, kind.as_str()), (400, "ValidationException"), "{path}");
        let text = answer["Message"].as_str().unwrap();
        assert!(text.contains(message), "{path}: {text}");
        assert_eq!(answer["__type"], "ValidationException");
    }
    let reports = vec![
        json!({"RuleName": "Default", "ClientID": "0".repeat(24), "Timestamp": 0, "RequestCount": 0, "SampledCount": 0});
        26
    ];
    let (_, kind, answer) =
        endpoint.post("/SamplingTargets", json!({"SamplingStatisticsDocuments": reports})).await;
    assert_eq!(kind, "ValidationException");
    assert!(
        answer["Message"].as_str().unwrap().ends_with("Member must have length less than or equal to 25")
    );
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let endpoint = Endpoint::new().await;
    let post = |path: &'static str, body: String| endpoint.send(reqwest::Method::POST, path, body);
    let (status, kind, _) = post("/CreateGroup", "{".to_owned()).await;
    assert_eq!((status, kind.as_str()), (400, "SerializationException"));
    let (status, kind, answer) = post("/GetGroup", r#"{"GroupName": 7}"#.to_owned()).await;
    assert_eq!((status, kind.as_str()), (400, "SerializationException"));
    assert!(answer["Message"].as_str().unwrap().contains("'groupName'"));
    let huge = json!({"SamplingRuleUpdate": {"RuleName": "Default", "ReservoirSize": 1_u64 << 40}});
    let (status, kind, _) = post("/UpdateSamplingRule", huge.to_string()).await;
    assert_eq!((status, kind.as_str()), (400, "SerializationException"));
    let large = json!({"GroupName": "a", "FilterExpression": "x".repeat(2 << 20)});
    let (status, kind, _) = post("/CreateGroup", large.to_string()).await;
    assert_eq!((status, kind.as_str()), (413, "RequestEntityTooLarge"));
    assert_eq!(post("/Groups", String::new()).await.0, 200);
}

#[tokio::test]
async fn an_operation_that_does_not_exist_is_unknown() {
    let endpoint = Endpoint::new().await;
    for (method, path) in [
        (reqwest::Method::POST, "/NoSuchOperation"),
        (reqwest::Method::GET, "/Groups"),
        (reqwest::Method::GET, "/"),
    ] {
        let (status, kind, answer) = endpoint.send(method.clone(), path, String::new()).await;
        assert_eq!((status, kind.as_str()), (404, "UnknownOperationException"), "{method} {path}");
        assert_eq!(answer["Message"], format!("X-Ray has no operation {method} {path}"));
    }
}

#[tokio::test]
async fn every_operation_of_the_model_has_its_path() {
    let endpoint = Endpoint::new().await;
    let model = Model::of(Service::XRay).unwrap();
    for operation in model.operations.keys() {
        let (method, path) = model.route_of(operation).unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let (_, kind, answer) = endpoint.send(method, path, "{}".to_owned()).await;
        assert_ne!(kind, "UnknownOperationException", "{operation}: {answer}");
    }
    assert_eq!(model.operations.len(), 38);
}
