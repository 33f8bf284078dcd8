//! How long a call to a service that accepts connections and never answers may take.

use std::time::{Duration, Instant};

use aws_clients::{AwsError, AwsSettings, dynamodb_limits};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

/// Starts a service that accepts connections and requests and never answers, and returns its address.
async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                connection.read_to_end(&mut request).await
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_dynamodb_that_never_answers_is_a_timeout_of_dynamodb_within_seconds() {
    let endpoint = silent().await;
    let config = aws_clients::sdk_config(&AwsSettings::read(|name| match name {
        "AWS_ENDPOINT_URL" => Some(endpoint.clone()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("local".to_owned()),
        _ => None,
    }))
    .await;
    let started = Instant::now();
    let error = aws_clients::dynamodb(&config).list_tables().send().await.unwrap_err();
    let took = started.elapsed();
    let error = AwsError::of("DynamoDB", "ListTables", error);
    assert_eq!(error.to_string(), "DynamoDB.ListTables failed with timeout");
    let attempts = dynamodb_limits::ATTEMPT_TIMEOUT * dynamodb_limits::ATTEMPTS;
    assert!(took >= attempts && took < dynamodb_limits::CALL_TIMEOUT + Duration::from_secs(1), "{took:?}");
}

#[test]
fn every_attempt_fits_into_a_call() {
    let attempts = dynamodb_limits::ATTEMPT_TIMEOUT * dynamodb_limits::ATTEMPTS;
    assert!(attempts < dynamodb_limits::CALL_TIMEOUT, "the pauses between them need room too");
}
