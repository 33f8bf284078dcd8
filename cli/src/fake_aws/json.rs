//! ECR, and what tests have other services answer.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Account;

pub(super) fn answer(account: &Account, operation: &str, input: &Value) -> (StatusCode, String) {
    let refused =
        |code: &str| (StatusCode::BAD_REQUEST, json!({"__type": code, "message": "fake"}).to_string());
    match operation {
        "DescribeImages" => {
            let repository = input["repositoryName"].as_str().unwrap();
            let tag = input["imageIds"][0]["imageTag"].as_str().unwrap();
            if !account.repositories.contains(repository) {
                return refused("RepositoryNotFoundException");
            }
            if !account.images.contains(&format!("{repository}:{tag}")) {
                return refused("ImageNotFoundException");
            }
            (StatusCode::OK, json!({"imageDetails": [{"imageTags": [tag]}]}).to_string())
        }
        "GetQueueUrl" => {
            let name = input["QueueName"].as_str().unwrap();
            (StatusCode::OK, json!({"QueueUrl": format!("http://fake/1/{name}")}).to_string())
        }
        "GetQueueAttributes" => {
            let url = input["QueueUrl"].as_str().unwrap();
            let name = url.rsplit('/').next().unwrap();
            let messages = account.answers.get(name).and_then(Value::as_u64).unwrap_or_default();
            let attributes = json!({"ApproximateNumberOfMessages": messages.to_string()});
            (StatusCode::OK, json!({"Attributes": attributes}).to_string())
        }
        other => match account.answers.get(other) {
            Some(Value::String(code)) => refused(code),
            Some(answer) => (StatusCode::OK, answer.to_string()),
            None => (StatusCode::OK, "{}".to_owned()),
        },
    }
}
