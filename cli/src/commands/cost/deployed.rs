//! What the rendered templates create that is charged by the month.

use std::collections::BTreeMap;

/// Resources with a price of their own, in all templates together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Deployed {
    /// Metrics over all alarms; a query counts as one.
    pub(super) alarm_metrics: u32,
    pub(super) composite_alarms: u32,
    pub(super) dashboards: u32,
    /// Interface endpoints, if `Egress` is `endpoints`.
    pub(super) endpoints: u32,
    pub(super) keys: u32,
    pub(super) secrets: u32,
}

/// The service whose templates an added service is taken to have.
const LIKE: &str = "/notifier.";

impl Deployed {
    /// Counts what `files` create, by their path below the templates' directory, and `added` services like `notifier`.
    pub(super) fn of(files: &BTreeMap<String, String>, added: u32) -> Self {
        files.iter().filter(|(path, _)| path.contains(".yaml")).fold(Self::default(), |sum, (path, text)| {
            let times = if path.contains(LIKE) { 1 + added } else { 1 };
            sum.plus(Self::of_template(text), times)
        })
    }

    fn of_template(text: &str) -> Self {
        text.split("\n\n").fold(Self::default(), |sum, block| {
            let lines = || block.lines().map(str::trim);
            let metrics =
                lines().filter(|line| line.starts_with("MetricName:") || line.contains("SELECT ")).count();
            let found = match lines().find_map(|line| line.strip_prefix("Type: AWS::")).unwrap_or_default() {
                "CloudWatch::Alarm" => {
                    Self { alarm_metrics: u32::try_from(metrics).unwrap_or(u32::MAX), ..Self::default() }
                }
                "CloudWatch::CompositeAlarm" => Self { composite_alarms: 1, ..Self::default() },
                "CloudWatch::Dashboard" => Self { dashboards: 1, ..Self::default() },
                "EC2::VPCEndpoint" if lines().any(|line| line == "VpcEndpointType: Interface") => {
                    Self { endpoints: 1, ..Self::default() }
                }
                "KMS::Key" => Self { keys: 1, ..Self::default() },
                "SecretsManager::Secret" => Self { secrets: 1, ..Self::default() },
                _ => Self::default(),
            };
            sum.plus(found, 1)
        })
    }

    fn plus(self, other: Self, times: u32) -> Self {
        Self {
            alarm_metrics: self.alarm_metrics + other.alarm_metrics * times,
            composite_alarms: self.composite_alarms + other.composite_alarms * times,
            dashboards: self.dashboards + other.dashboards * times,
            endpoints: self.endpoints + other.endpoints * times,
            keys: self.keys + other.keys * times,
            secrets: self.secrets + other.secrets * times,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "Resources:
  One:
    Type: AWS::CloudWatch::Alarm
    Properties:
      MetricName: Depth

  Two:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
      - Expression: SELECT SUM(retries) FROM shop
      - MetricStat:
          Metric:
            MetricName: messages
      - Expression: IF(a > 0, b / a, 0)

  Board:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardBody: '{\"MetricName: none\"}'
";

    #[test]
    fn each_metric_of_an_alarm_counts() {
        let files = BTreeMap::from([
            ("services/notifier.yaml".to_owned(), TEMPLATE.to_owned()),
            ("services/email.yaml".to_owned(), TEMPLATE.to_owned()),
            ("task-definitions/notifier.json".to_owned(), TEMPLATE.to_owned()),
        ]);
        let deployed = Deployed::of(&files, 0);
        assert_eq!((deployed.alarm_metrics, deployed.dashboards), (6, 2));
        let deployed = Deployed::of(&files, 5);
        assert_eq!((deployed.alarm_metrics, deployed.dashboards), (21, 7));
    }
}
