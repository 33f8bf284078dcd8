//! Repositories of images.

use serde_json::{Value, json};

use crate::context::Context;
use crate::template::{Template, logical_id, sorted, sub};

/// Builds to which a service can be rolled back.
const KEPT_BUILDS: u32 = 50;

/// Adds a repository for the image of a service, or for a copy of the collector's, encrypted with `key`.
pub(crate) fn add_repository(template: &mut Template, context: &Context<'_>, name: &str, key: Value) {
    // Only tagged images count: a build with attestations pushes an index, which has the tag, and two manifests without one,
    // and a rule over all would keep a third of the builds (https://github.com/aws/containers-roadmap/issues/2613).
    let lifecycle = json!({"rules": [{
        "rulePriority": 1,
        "description": "Keep the last 50 builds",
        "selection": {
            "tagStatus": "tagged",
            "tagPatternList": ["*"],
            "countType": "imageCountMoreThan",
            "countNumber": KEPT_BUILDS,
        },
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
