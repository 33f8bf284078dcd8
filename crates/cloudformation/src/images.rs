//! Repositories of images.

use serde_json::{Value, json};

use crate::context::Context;
use crate::template::{Template, logical_id, sorted, sub};

/// Adds a repository for the image of a service, or for a copy of the collector's, encrypted with `key`.
pub(crate) fn add_repository(template: &mut Template, context: &Context<'_>, name: &str, key: Value) {
    let lifecycle = json!({"rules": [{
        "rulePriority": 1,
        "description": "Keep the last 50 builds",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50},
        "action": {"type": "expire"},
    }]});
    template.keep(
        format!("{}Repository", logical_id(name)),
        "AWS::ECR::Repository",
        json!({
            "RepositoryName": sub(context.repository_name(name)),
            "ImageTagMutability": "IMMUTABLE",
            "ImageScanningConfiguration": {"ScanOnPush": true},
            "EncryptionConfiguration": {"EncryptionType": "KMS", "KmsKey": key},
            "LifecyclePolicy": {"LifecyclePolicyText": sorted(&lifecycle).to_string()},
        }),
    );
}
