//! The alarms of an environment that are on.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::json;

use super::json_api::JsonApi;
use crate::commands::deploy::templates;

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default, rename = "MetricAlarms")]
    of_metrics: Vec<Alarm>,
    #[serde(default, rename = "CompositeAlarms")]
    composite: Vec<Alarm>,
    #[serde(rename = "NextToken")]
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Alarm {
    #[serde(rename = "AlarmName")]
    name: String,
    #[serde(default, rename = "StateReason")]
    reason: String,
}

/// Returns the alarms that are on.
///
/// # Errors
/// When CloudWatch cannot be reached or refuses the call, or the templates cannot be rendered.
pub(super) async fn read(cloudwatch: &JsonApi, environment: &str) -> anyhow::Result<Vec<String>> {
    let prefix = format!("{}-{environment}-", contracts::APPLICATION);
    // The names of another environment may start with this one's.
    let own = names(&templates(environment)?, environment);
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut input = json!({
            "AlarmNamePrefix": prefix,
            "AlarmTypes": ["CompositeAlarm", "MetricAlarm"],
            "StateValue": "ALARM",
        });
        if let Some(token) = token {
            input["NextToken"] = token.into();
        }
        let page: Page = cloudwatch.call("DescribeAlarms", input).await?;
        let alarms = page.composite.into_iter().chain(page.of_metrics);
        found.extend(
            alarms
                .filter(|alarm| own.contains(&alarm.name))
                .map(|alarm| format!("alarm {} is on: {}", alarm.name, alarm.reason)),
        );
        token = page.next.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// Returns the names of the alarms in these templates.
fn names(templates: &[String], environment: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for template in templates {
        let lines: Vec<&str> = template.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            if let ["AlarmName:", name] = pair
                && let Some(name) = name.strip_prefix("Fn::Sub: ")
            {
                names.insert(name.trim_matches('"').replace("${Environment}", environment));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_in_the_templates() {
        let templates = templates("prod").unwrap();
        let names = names(&templates, "prod");
        assert!(names.contains("foostore-prod-email-failures"), "{names:?}");
        let alarms: usize = templates.iter().map(|template| template.matches("AlarmName:").count()).sum();
        assert_eq!(names.len(), alarms);
    }
}
