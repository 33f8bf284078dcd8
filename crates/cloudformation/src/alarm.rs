//! One alarm, and what all of them share.

use serde_json::{Value, json};

use crate::context::Context;
use crate::template::{Template, logical_id, reference};

/// Condition: whether alarms also notify when they return to OK.
const NOTIFY_RECOVERY: &str = "NotifyRecovery";

/// Minutes that an alarm looks back where `FILL` gives every minute a value. The last minute's data comes late, so that it
/// alone would always be the filled value
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>).
pub(crate) const LATE_MINUTES: u32 = 5;

/// One alarm: what it watches (a metric or a list of queries), and from when on it is too much.
pub(crate) struct Alarm<'a> {
    /// Logical id, and in small letters the end of its name.
    pub(crate) name: &'a str,
    pub(crate) description: String,
    /// Properties that say what is watched. They win over the usual ones.
    pub(crate) watches: Value,
    /// A parameter's, as a rule.
    pub(crate) threshold: Value,
    /// Minutes, one after the other, in which it must be too much.
    pub(crate) minutes: Value,
}

impl Alarm<'_> {
    /// Adds the alarm under this logical id and name.
    pub(crate) fn add(self, template: &mut Template, context: &Context<'_>, topic: &Value) {
        let mut properties = json!({
            "AlarmName": context.name(self.name),
            "AlarmDescription": self.description,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": self.threshold,
            "EvaluationPeriods": self.minutes,
            "DatapointsToAlarm": self.minutes,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [topic],
            "OKActions": {"Fn::If": [NOTIFY_RECOVERY, [topic], reference("AWS::NoValue")]},
        });
        if let (Value::Object(properties), Value::Object(watches)) = (&mut properties, self.watches) {
            properties.extend(watches);
        }
        template.resource(id(self.name), "AWS::CloudWatch::Alarm", properties);
    }
}

/// The logical id of an alarm's name.
pub(crate) fn id(name: &str) -> String {
    format!("{}Alarm", logical_id(name))
}

/// Adds the parameter that every template with alarms has.
pub(crate) fn add_parameter(template: &mut Template) {
    template.parameter(
        NOTIFY_RECOVERY,
        json!({
            "Type": "String",
            "AllowedValues": ["true", "false"],
            // A new alarm recovers from having no data, so the first deployment would send as many mails as there are.
            "Default": "false",
            "Description": "Whether alarms notify when they are over too; once the stack exists",
        }),
    );
    template.condition(NOTIFY_RECOVERY, json!({"Fn::Equals": [reference(NOTIFY_RECOVERY), "true"]}));
}
