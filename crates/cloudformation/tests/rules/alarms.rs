//! Rules for alarms, dashboards, and what they read.

use serde_json::Value;

use crate::{Deployment, Rule, filled, parsed};

pub(crate) const RULES: [Rule; 4] = [
    Rule {
        name: "an alarm has no Metrics Insights query, and a widget at most one",
        // One is allowed to an alarm too, but each metric that it matches is billed.
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html",
        broken: several_queries,
        example: || {
            r#"
Resources:
  Dashboard:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardBody: '{"widgets": [{"properties": {"metrics": [
        [{"expression": "SELECT SUM(\"a\") FROM \"n\""}], [{"expression": "SELECT SUM(\"b\") FROM \"n\""}]]}}]}'
"#
        .to_owned()
        },
    },
    Rule {
        name: "a Metrics Insights query compares with = and != joined by AND, and names its dimensions",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html",
        broken: unknown_words,
        example: || {
            r#"
Resources:
  Dashboard:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardBody: '{"widgets": [{"properties": {"metrics": [
        [{"expression": "SELECT SUM(\"a\") FROM SCHEMA(\"n\", b) WHERE b = 1 OR b = 2"}]]}}]}'
"#
            .to_owned()
        },
    },
    Rule {
        name: "an expression of an alarm has at most 2,048 characters",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html",
        broken: long_expressions,
        example: || {
            let sum = ["SUM(METRICS())"; 200].join(" + ");
            format!(
                "Resources: {{Alarm: {{Type: AWS::CloudWatch::Alarm, Properties: {{Metrics: [{{Expression: {sum}}}]}}}}}}"
            )
        },
    },
    Rule {
        name: "an alarm reads a metric by dimensions that the collector gives it",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Dimension",
        broken: unknown_dimensions,
        example: || {
            r"
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - MetricStat:
            Metric:
              Namespace: {Fn::Sub: 'loyalty/${Environment}'}
              MetricName: consumer.messages
              Dimensions: [{Name: messaging.destination.name, Value: q}, {Name: colour, Value: red}]
"
            .to_owned()
        },
    },
];

/// Returns every query of alarms, by file and id: of each the metric, or the expression.
fn alarm_queries(deployment: &Deployment) -> impl Iterator<Item = (String, &Value)> {
    deployment.of_type("AWS::CloudWatch::Alarm").flat_map(|(file, id, alarm)| {
        let place = format!("{file} {id}");
        alarm["Metrics"].as_array().into_iter().flatten().map(move |query| (place.clone(), query))
    })
}

/// Returns the expressions of each alarm's queries.
fn alarm_expressions(deployment: &Deployment) -> impl Iterator<Item = (String, String)> {
    alarm_queries(deployment).filter_map(|(place, query)| Some((place, filled(&query["Expression"])?)))
}

/// Returns the expressions of each widget together.
fn widgets(deployment: &Deployment) -> impl Iterator<Item = (String, Vec<String>)> {
    deployment.of_type("AWS::CloudWatch::Dashboard").flat_map(|(file, _, dashboard)| {
        let body = parsed(&filled(&dashboard["DashboardBody"]).unwrap());
        let widgets = body["widgets"].as_array().unwrap().clone();
        widgets.into_iter().map(move |widget| {
            let metrics = widget["properties"]["metrics"].as_array().cloned().unwrap_or_default();
            let expressions = metrics.iter().filter_map(|metric| metric[0]["expression"].as_str());
            (format!("{file} {}", widget["properties"]["title"]), expressions.map(str::to_owned).collect())
        })
    })
}

fn is_insights(expression: &str) -> bool {
    expression.to_uppercase().contains("SELECT ")
}

fn several_queries(deployment: &Deployment) -> Vec<String> {
    let alarms = alarm_expressions(deployment).filter(|(_, expression)| is_insights(expression));
    let widgets = widgets(deployment).filter(|(_, expressions)| {
        expressions.iter().filter(|expression| is_insights(expression)).count() > 1
    });
    alarms.map(|(place, _)| place).chain(widgets.map(|(place, _)| place)).collect()
}

fn unknown_words(deployment: &Deployment) -> Vec<String> {
    let of_widgets = widgets(deployment).flat_map(|(place, expressions)| {
        expressions.into_iter().map(move |expression| (place.clone(), expression))
    });
    alarm_expressions(deployment)
        .chain(of_widgets)
        .filter(|(_, expression)| {
            let words = expression.to_uppercase();
            let unknown =
                [" OR ", " IN ", " IN(", " LIKE ", " NOT ", "<", ">"].iter().any(|word| words.contains(word));
            is_insights(expression) && (unknown || !words.contains(" FROM SCHEMA("))
        })
        .map(|(place, expression)| format!("{place}: {expression}"))
        .collect()
}

fn long_expressions(deployment: &Deployment) -> Vec<String> {
    let long = alarm_expressions(deployment).filter(|(_, expression)| expression.len() > 2_048);
    long.map(|(place, expression)| format!("{place}: {} characters", expression.len())).collect()
}

fn unknown_dimensions(deployment: &Deployment) -> Vec<String> {
    let declared = Declared::read(&deployment.collector);
    alarm_queries(deployment)
        .filter_map(|(place, query)| {
            let metric = &query["MetricStat"]["Metric"];
            let namespace = filled(&metric["Namespace"])?;
            let of_aws = namespace.starts_with("AWS/") || namespace.starts_with("ECS/");
            let name = metric["MetricName"].as_str()?;
            let mut dimensions: Vec<_> = metric["Dimensions"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|dimension| dimension["Name"].as_str().unwrap().to_owned())
                .collect();
            dimensions.sort();
            let known = of_aws || declared.of(name).contains(&dimensions);
            (!known).then(|| format!("{place}: {name} by {dimensions:?}"))
        })
        .collect()
}

/// The sets of dimensions that the collector's configuration gives to metrics.
struct Declared(Vec<(Vec<regex_lite::Regex>, Vec<Vec<String>>)>);

impl Declared {
    fn read(configuration: &Value) -> Self {
        let texts = |list: &Value| -> Vec<String> {
            list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let declarations = configuration["exporters"]["awsemf"]["metric_declarations"].as_array().unwrap();
        let read = declarations.iter().map(|declaration| {
            let names = texts(&declaration["metric_name_selectors"]);
            let names = names.iter().map(|name| regex_lite::Regex::new(name).unwrap()).collect();
            let sets = declaration["dimensions"].as_array().unwrap().iter().map(|set| {
                let mut set = texts(set);
                set.sort();
                set
            });
            (names, sets.collect())
        });
        Self(read.collect())
    }

    /// Returns the sets of a metric. The last declaration is for metrics that no other names.
    fn of(&self, metric: &str) -> &[Vec<String>] {
        let mut declarations = self.0.iter();
        let named = declarations.find(|(names, _)| names.iter().any(|name| name.is_match(metric)));
        named.map_or(&[], |(_, sets)| sets)
    }
}
