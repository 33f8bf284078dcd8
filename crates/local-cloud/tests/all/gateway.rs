use local_cloud::{Settings, StartError};

use crate::support::{ACCOUNT, cloud};

#[tokio::test]
async fn unsupported_operations_are_named() {
    let cloud = cloud().await;
    let response = cloud
        .http
        .post(cloud.url("/"))
        .header("x-amz-target", "Logs_20140328.FilterLogEvents")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.headers().contains_key("x-amzn-requestid"));
    let error: serde_json::Value = response.json().await.unwrap();
    assert_eq!(error["__type"], "UnknownOperationException");
    assert!(error["message"].as_str().unwrap().contains("FilterLogEvents"));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn bodies_are_limited_and_health_is_reported() {
    let cloud = cloud().await;
    let health = cloud.http.get(cloud.url("/_local/health")).send().await.unwrap();
    assert_eq!(health.status(), 200);
    let response = cloud
        .http
        .post(cloud.url("/"))
        .header("x-amz-target", "AmazonSQS.SendMessage")
        .body(vec![b'x'; 7 * 1024 * 1024])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(cloud.http.get(cloud.url("/_local/nothing")).send().await.unwrap().status(), 404);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn each_protocol_carries_its_errors() {
    let cloud = cloud().await;
    let signed = |service: &str| {
        format!("AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/{service}/aws4_request, Signature=0")
    };
    let bucket = cloud.http.put(cloud.url("/bucket?acl")).header("authorization", signed("s3"));
    let response = bucket.send().await.unwrap();
    assert_eq!(response.status(), 501);
    let text = response.text().await.unwrap();
    assert!(text.contains("<Error><Code>NotImplemented</Code>") && text.contains("PutBucketAcl"), "{text}");

    let json = cloud.http.post(cloud.url("/")).header("x-amz-target", "AmazonSQS.SendMessage").body("[1");
    let error: serde_json::Value = json.send().await.unwrap().json().await.unwrap();
    assert!(error["__type"].as_str().unwrap().ends_with("SerializationException"), "{error}");

    let query =
        cloud.http.get(cloud.url("/?Action=SendMessage&QueueUrl=q")).header("authorization", signed("sqs"));
    let response = query.send().await.unwrap();
    assert_eq!(response.status(), 400);
    let text = response.text().await.unwrap();
    assert!(
        text.contains(
            "<Code>MissingParameter</Code><Message>The request must contain the parameter MessageBody."
        ),
        "{text}"
    );

    let rest = cloud.http.post(cloud.url("/v2/email/outbound-emails")).body("{}");
    let response = rest.send().await.unwrap();
    assert_eq!(response.headers()["x-amzn-errortype"], "BadRequestException");
    let error: serde_json::Value = response.json().await.unwrap();
    assert!(error["message"].as_str().unwrap().contains("at 'content'"), "{error}");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn the_caller_is_the_account() {
    let cloud = cloud().await;
    let response = cloud
        .http
        .post(cloud.url("/"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("Action=GetCallerIdentity&Version=2011-06-15")
        .send()
        .await
        .unwrap();
    assert!(response.text().await.unwrap().contains(&format!("<Account>{ACCOUNT}</Account>")));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_port_in_use_is_reported() {
    let cloud = cloud().await;
    let taken = cloud.local.otlp_address();
    let settings =
        Settings { address: "127.0.0.1:0".parse().unwrap(), otlp_address: taken, ..Settings::default() };
    match local_cloud::start(settings).await {
        Err(StartError::AddressInUse { address, what }) => {
            assert_eq!((address, what), (taken, "OTLP endpoint"));
        }
        other => panic!("{other:?}"),
    }
    cloud.local.shutdown().await;
}
