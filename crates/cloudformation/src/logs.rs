//! Log groups, and how long they keep lines.

use serde_json::{Value, json};

use crate::context::Context;
use crate::template::{Template, logical_id, reference, sub};

/// Adds the parameter that [`add_group`] needs.
pub(crate) fn add_parameter(template: &mut Template) {
    template.parameter(
        "LogRetentionDays",
        json!({
            "Type": "Number",
            "AllowedValues": [7, 14, 30, 60, 90, 180, 365, 400],
            "Default": 30,
            "Description": "Retention of log lines, which hold customer numbers but no names or addresses",
        }),
    );
}

/// Adds a log group, encrypted with `key`.
pub(crate) fn add_group(template: &mut Template, context: &Context<'_>, name: &str, key: Value) {
    add(template, format!("{}LogGroup", logical_id(name)), &context.log_group(name), key);
}

/// Adds the log group of a Pipe, encrypted with `key`, as the resource `id`.
///
/// AWS adds each log group that it delivers to to one resource policy of at most 5,120 characters, unless its name begins
/// with `/aws/vendedlogs/`
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html>).
pub(crate) fn add_pipe_group(
    template: &mut Template,
    context: &Context<'_>,
    id: String,
    pipe: &str,
    key: Value,
) {
    add(template, id, &context.delivered_log_group(&format!("pipes/{pipe}")), key);
}

fn add(template: &mut Template, id: String, name: &str, key: Value) {
    template.keep(
        id,
        "AWS::Logs::LogGroup",
        json!({"LogGroupName": sub(name), "RetentionInDays": reference("LogRetentionDays"), "KmsKeyId": key}),
    );
}
