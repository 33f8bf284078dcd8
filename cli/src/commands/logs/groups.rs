//! The log groups of a deployment, and the query sent to CloudWatch.

use aws_clients::AwsSettings;
use service_runtime::Environment;

use super::insights::Insights;
use super::query;
use crate::failure::Failure;
use crate::layer;
use crate::log_lines::{Filters, Record, Selection};
use crate::wanted::Wanted;

/// The SDKs' variable for another endpoint of CloudWatch Logs
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
const ENDPOINT: &str = "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS";
/// The most log groups of a query
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html>).
const MOST_GROUPS: usize = 50;
/// The traces of an event whose other lines are searched; an event has one, and one more for each replay.
const MOST_TRACES: usize = 20;

/// A deployment on AWS
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Deployment {
    /// Query CloudWatch Logs Insights on AWS, with the credentials and region of the environment
    #[arg(long, requires = "environment", conflicts_with_all = ["follow", "log_dir"])]
    pub(super) aws: bool,
    /// The environment whose log lines these are
    #[arg(long, value_name = "NAME", requires = "aws")]
    environment: Option<String>,
    /// Region; defaults to that of the environment
    #[arg(long, env = "AWS_REGION", hide_env_values = true, value_name = "REGION")]
    region: Option<String>,
}

impl Deployment {
    /// Returns the lines about `wanted` that have what `filters` ask for, in order of time.
    ///
    /// # Errors
    /// When a service does not exist, or CloudWatch cannot be queried.
    pub(super) async fn select(
        &self,
        wanted: Option<Wanted>,
        filters: Filters,
        environment: &Environment,
    ) -> anyhow::Result<Vec<Record>> {
        let groups = self.groups(&filters.services)?;
        let settings = AwsSettings { region: self.region.clone(), ..AwsSettings::default() };
        let config = aws_clients::sdk_config(&settings).await;
        let insights = Insights::new(config, environment.get(ENDPOINT).filter(|url| !url.is_empty()));
        let since = filters.since.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let condition = query::about(wanted.as_ref(), &filters);
        let hops_only = !(filters.outcomes.is_empty() && filters.reasons.is_empty());
        let mut selection = Selection::new(wanted, filters);
        let mut records = insights.lines(&groups, &condition, since).await?;
        let mut selected = selection.take(records.clone());
        let few = selection.traces().iter().take(MOST_TRACES).cloned().collect();
        // A line without an event has no outcome.
        if let Some(beside) = query::beside(&few).filter(|_| !hops_only) {
            records.extend(insights.lines(&groups, &beside, since).await?);
            selected = selection.take(records);
        }
        Ok(selected)
    }

    /// Returns the log groups of the services, as the templates in `deploy/` name them.
    fn groups(&self, services: &[String]) -> Result<Vec<String>, Failure> {
        let environment = self.environment.as_deref().unwrap_or_default();
        if let Some(unknown) = services.iter().find(|name| layer::find(name).is_none()) {
            let known: Vec<&str> = layer::names().collect();
            return Err(Failure::usage(format!(
                "there is no service {unknown}: the services are {}",
                known.join(", ")
            )));
        }
        let wanted = |name: &&str| services.is_empty() || services.iter().any(|service| service == name);
        Ok(layer::names()
            .filter(wanted)
            .map(|name| format!("/{}/{environment}/services/{name}", contracts::APPLICATION))
            .take(MOST_GROUPS)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_groups_are_those_of_the_templates() {
        let deployment = Deployment { aws: true, environment: Some("prod".to_owned()), region: None };
        let all = deployment.groups(&[]).unwrap();
        assert_eq!(all.len(), layer::ALL.len());
        let templates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/data");
        for (name, group) in layer::names().zip(all) {
            let template = std::fs::read_to_string(templates.join(format!("{name}.yaml"))).unwrap();
            let rendered = group.replace("/prod/", "/${Environment}/");
            assert!(template.contains(&format!("Fn::Sub: {rendered}\n")), "{rendered}");
        }
        assert_eq!(deployment.groups(&["email".to_owned()]).unwrap(), ["/foostore/prod/services/email"]);
        assert!(deployment.groups(&["nobody".to_owned()]).is_err());
    }
}
