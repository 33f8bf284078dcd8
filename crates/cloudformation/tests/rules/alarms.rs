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
        name: "an alarm whose expression FILL gives a value at any time looks back at more periods than must be too much: the \
               last one's data comes late, and would always be the filled value",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html",
        broken: filled_at_the_end,
        example: || {
            r"
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      EvaluationPeriods: 2
      DatapointsToAlarm: 2
      Metrics:
        - {Id: one, MetricStat: {}}
        - {Id: all, Expression: 'IF(FILL(one, 0) > 0, 1, 0)'}
"
            .to_owned()
        },
    },
];

/// Returns the expressions of each alarm's queries.
fn alarm_expressions(deployment: &Deployment) -> impl Iterator<Item = (String, String)> {
    deployment.of_type("AWS::CloudWatch::Alarm").flat_map(|(file, id, alarm)| {
        let queries = alarm["Metrics"].as_array().into_iter().flatten();
        queries.filter_map(move |query| Some((format!("{file} {id}"), filled(&query["Expression"])?)))
    })
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

fn filled_at_the_end(deployment: &Deployment) -> Vec<String> {
    let fill = regex_lite::Regex::new(r"FILL\([^)]*\)").unwrap();
    let alarms = deployment.of_type("AWS::CloudWatch::Alarm").filter(|(file, _, alarm)| {
        let queries = || alarm["Metrics"].as_array().into_iter().flatten();
        let metrics: Vec<_> =
            queries().filter_map(|query| query.get("MetricStat").and(query["Id"].as_str())).collect();
        let always = queries().filter_map(|query| query["Expression"].as_str()).any(|expression| {
            let rest = fill.replace_all(expression, "");
            !rest.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| metrics.contains(&word))
        });
        let parameters = &deployment.templates[*file].1["Parameters"];
        let number = |value: &Value| {
            let value = value["Ref"].as_str().map_or(value, |name| &parameters[name]["Default"]);
            value.as_u64().or_else(|| value.as_str()?.parse().ok())
        };
        always && number(&alarm["DatapointsToAlarm"]) >= number(&alarm["EvaluationPeriods"])
    });
    alarms.map(|(file, id, _)| format!("{file} {id}")).collect()
}
