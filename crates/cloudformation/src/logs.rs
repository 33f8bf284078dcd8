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
    template.keep(
        format!("{}LogGroup", logical_id(name)),
        "AWS::Logs::LogGroup",
        json!({
            "LogGroupName": sub(context.log_group(name)),
            "RetentionInDays": reference("LogRetentionDays"),
            "KmsKeyId": key,
        }),
    );
}
