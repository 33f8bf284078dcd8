//! What a stack has left although it should not have: removed through the Cloud Control API, which deletes a resource of
//! any type that CloudFormation creates
//! (<https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/API_DeleteResource.html>).

use std::fmt;
use std::time::Duration;

use anyhow::anyhow;
use aws_config::SdkConfig;
use serde_json::{Value, json};

use crate::patience::Patience;
use crate::signed_call::{Client, Protocol};

const CLOUD_CONTROL: Protocol = Protocol {
    service: "Cloud Control API",
    signing_name: "cloudcontrolapi",
    version: "1.0",
    target: "CloudApiService",
};
/// The limit for the removal of one resource.
const REMOVED_WITHIN: Duration = Duration::from_mins(5);

/// A resource that outlives its stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leftover {
    /// Its type in CloudFormation.
    pub(super) kind: String,
    /// Its physical id.
    pub(super) id: String,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

/// Removes each, and waits for the removal.
///
/// # Errors
/// When some are left, with the reasons.
pub(super) async fn remove(config: &SdkConfig, left: &[Leftover]) -> anyhow::Result<()> {
    let client = Client::new(CLOUD_CONTROL, config.clone(), config.endpoint_url());
    let mut errors = Vec::new();
    for one in left {
        if let Err(error) = remove_one(&client, one).await {
            errors.push(format!("{one} is left: {error:#}"));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(anyhow!(errors.join("; "))) }
}

async fn remove_one(client: &Client, one: &Leftover) -> anyhow::Result<()> {
    let mut patience = Patience::of(REMOVED_WITHIN);
    let mut event =
        client.call("DeleteResource", json!({"TypeName": one.kind, "Identifier": one.id})).await?;
    loop {
        let progress = &event["ProgressEvent"];
        let text = |name: &str| progress[name].as_str().unwrap_or_default();
        match text("OperationStatus") {
            "SUCCESS" => return Ok(()),
            "PENDING" | "IN_PROGRESS" | "CANCEL_IN_PROGRESS" if patience.pause().await => {}
            // Somebody else has removed it.
            "FAILED" if text("ErrorCode") == "NotFound" => return Ok(()),
            other => return Err(anyhow!("its removal is {other}: {}", text("StatusMessage"))),
        }
        let token: Value = progress["RequestToken"].clone();
        event = client.call("GetResourceRequestStatus", json!({ "RequestToken": token })).await?;
    }
}
