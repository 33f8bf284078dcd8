//! Writes what the collector writes to the metrics' log group, and reads the metrics as the alarms do.

use std::time::Instant;

use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::assumptions::EMF;
use super::super::bench::Bench;
use super::super::finding::Finding;
use super::super::full::Full;
use crate::patience::Patience;
use crate::signed_call::{CLOUDWATCH, Client, LOGS};

/// The log stream with the records.
const STREAM: &str = "verify";
/// The range around now in which to look for data points, in seconds, because clocks differ.
const AROUND_S: i64 = 600;

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    match &bench.full {
        Some(full) => vec![Finding::from_result(EMF, arrived(bench, full).await)],
        None => Vec::new(),
    }
}

async fn arrived(bench: &Bench, full: &Full) -> anyhow::Result<Finding> {
    write(bench, full).await?;
    let written = Instant::now();
    let client = Client::new(CLOUDWATCH, bench.place.config.clone(), bench.place.endpoint_url.as_deref());
    let mut patience = Patience::of(bench.wait);
    loop {
        let answer = client.call("GetMetricData", queries(&full.metrics)).await?;
        let missing = missing(&full.metrics, &answer);
        if missing.is_empty() {
            let (count, seconds) = (full.metrics.len(), written.elapsed().as_secs());
            return Ok(Finding::holds(EMF, format!("{count} metrics have a value, after {seconds} s")));
        }
        if patience.pause().await {
            continue;
        }
        let what = bench.too_late(&format!("no value of {}", missing.join(", ")));
        if missing.len() == full.metrics.len() {
            // Nothing arrived at all, which may be slowness.
            return Err(anyhow!(what));
        }
        return Ok(Finding::does_not_hold(EMF, what));
    }
}

async fn write(bench: &Bench, full: &Full) -> anyhow::Result<()> {
    let client = Client::new(LOGS, bench.place.config.clone(), bench.place.endpoint_url.as_deref());
    let group = format!("/{}/{}/metrics", contracts::APPLICATION, full.environment);
    let stream = json!({"logGroupName": group, "logStreamName": STREAM});
    client.call("CreateLogStream", stream.clone()).await?;
    let now = Timestamp::now().as_millisecond();
    let events = full
        .metrics
        .iter()
        .map(|metric| json!({"timestamp": now, "message": record(metric, now).to_string()}));
    let mut input = stream;
    input["logEvents"] = events.collect();
    let answer = client.call("PutLogEvents", input).await?;
    match answer.get("rejectedLogEventsInfo") {
        None | Some(Value::Null) => Ok(()),
        Some(rejected) => Err(anyhow!("CloudWatch Logs rejected records: {rejected}")),
    }
}

/// Returns a record in the form in which the collector's exporter writes it: sums and gauges as a number, histograms as
/// values and how often each was counted
/// (<https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/awsemfexporter>).
fn record(metric: &Value, now_ms: i64) -> Value {
    let read = &metric["Metric"];
    let name = read["MetricName"].as_str().unwrap_or_default();
    let dimensions = read["Dimensions"].as_array().into_iter().flatten();
    let names: Vec<_> = dimensions.clone().map(|dimension| dimension["Name"].clone()).collect();
    let mut record = Map::new();
    for dimension in dimensions {
        let name = dimension["Name"].as_str().unwrap_or_default();
        record.insert(name.to_owned(), dimension["Value"].clone());
    }
    let histogram = json!({
        "Values": [1.0, 100.0], "Counts": [90.0, 10.0], "Min": 1.0, "Max": 100.0, "Count": 100, "Sum": 1090.0,
    });
    let is_percentile = metric["Stat"].as_str().is_some_and(|statistic| statistic.starts_with('p'));
    record.insert(name.to_owned(), if is_percentile { histogram } else { json!(1) });
    let declared =
        json!({"Namespace": read["Namespace"], "Dimensions": [names], "Metrics": [{"Name": name}]});
    record.insert("_aws".to_owned(), json!({"Timestamp": now_ms, "CloudWatchMetrics": [declared]}));
    Value::Object(record)
}

/// Returns the query of the metrics, each with its place in the list as its id.
fn queries(metrics: &[Value]) -> Value {
    let now = Timestamp::now().as_second();
    let queries = metrics.iter().enumerate();
    let queries = queries.map(|(number, metric)| json!({"Id": id(number), "MetricStat": metric}));
    json!({
        "StartTime": now - AROUND_S,
        "EndTime": now + AROUND_S,
        "MetricDataQueries": queries.collect::<Vec<_>>(),
    })
}

fn id(number: usize) -> String {
    format!("m{number}")
}

/// Returns the names of the metrics without a value in the answer.
fn missing(metrics: &[Value], answer: &Value) -> Vec<String> {
    let results = answer["MetricDataResults"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has_value = |number: usize| {
        let mut results = results.iter().filter(|result| result["Id"] == id(number));
        results.any(|result| result["Values"].as_array().is_some_and(|values| !values.is_empty()))
    };
    let missing = metrics.iter().enumerate().filter(|(number, _)| !has_value(*number));
    missing
        .map(|(_, metric)| {
            let (name, statistic) = (&metric["Metric"]["MetricName"], &metric["Stat"]);
            format!("{} ({})", name.as_str().unwrap_or_default(), statistic.as_str().unwrap_or_default())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, statistic: &str) -> Value {
        json!({"Period": 60, "Stat": statistic, "Metric": {
            "Namespace": "shop/x",
            "MetricName": name,
            "Dimensions": [{"Name": "messaging.destination.name", "Value": "q"}, {"Name": "stage", "Value": "done"}],
        }})
    }

    #[test]
    fn a_record_has_what_the_alarm_reads() {
        assert_eq!(
            record(&metric("consumer.retries", "Sum"), 7),
            json!({
                "_aws": {"Timestamp": 7, "CloudWatchMetrics": [{
                    "Namespace": "shop/x",
                    "Dimensions": [["messaging.destination.name", "stage"]],
                    "Metrics": [{"Name": "consumer.retries"}],
                }]},
                "messaging.destination.name": "q",
                "stage": "done",
                "consumer.retries": 1,
            })
        );
        let ages = record(&metric("consumer.event.age", "p99"), 7);
        assert_eq!(ages["consumer.event.age"]["Values"], json!([1.0, 100.0]));
    }

    #[test]
    fn a_metric_without_a_value_is_named() {
        let metrics = [metric("consumer.retries", "Sum"), metric("consumer.event.age", "p99")];
        let answer =
            json!({"MetricDataResults": [{"Id": "m0", "Values": [1.0]}, {"Id": "m1", "Values": []}]});
        assert_eq!(missing(&metrics, &answer), ["consumer.event.age (p99)"]);
        assert_eq!(missing(&metrics, &Value::Null).len(), 2);
    }
}
