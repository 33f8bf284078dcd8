//! Alarms on how the account's mail is received.

use serde_json::{Value, json};

use crate::alarm::Alarm;
use crate::context::Context;
use crate::metrics;
use crate::template::{Template, reference};

/// Adds alarms on the rates by which SES judges the whole account: it reviews the account at these, and stops sending at the
/// double and the fivefold (<https://docs.aws.amazon.com/ses/latest/dg/reputation-dashboard-dg.html>).
pub(crate) fn add(template: &mut Template, context: &Context<'_>, topic: &Value) {
    for (kind, metric, default) in
        [("bounce", "Reputation.BounceRate", "0.05"), ("complaint", "Reputation.ComplaintRate", "0.001")]
    {
        let parameter = if kind == "bounce" { "BounceRateThreshold" } else { "ComplaintRateThreshold" };
        template.parameter(
            parameter,
            json!({
                "Type": "Number",
                "Default": default,
                "MinValue": 0,
                "MaxValue": 1,
                "Description": format!(
                    "Alarm when the {kind} rate of the account's mail exceeds this share; SES reviews the account at {default}"
                ),
            }),
        );
        let mut watches = metrics::watched(metrics::of_aws("AWS/SES", metric, &[]), "Maximum");
        // SES sends these when something has changed. An hour without is no recovery.
        watches["Period"] = json!(3600);
        watches["TreatMissingData"] = json!("ignore");
        Alarm {
            name: &format!("mail-{kind}-rate"),
            description: format!(
                "The {kind} rate of the account's mail, as a share: SES may stop sending. email marks the addresses that it \
                 hears of; find out where so many come from"
            ),
            watches,
            threshold: reference(parameter),
            minutes: json!(1),
        }
        .add(template, context, topic);
    }
}
