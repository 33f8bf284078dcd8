//! The dashboard: first the layer as a whole, then each service.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::context::Context;
use crate::metrics;
use crate::template::sorted;

/// Widgets side by side, each a third of the width.
const COLUMNS: usize = 3;
const WIDTH: usize = 8;
const HEIGHT: usize = 6;

/// Renders the dashboard's body, as text for `Fn::Sub`.
pub(crate) fn body(context: &Context<'_>) -> String {
    let mut rows = vec![overview(context)];
    rows.extend(context.resources.services.iter().map(|service| one(context, service)));
    let mut widgets = Vec::new();
    let mut y = 0;
    for row in rows {
        let height = row.len().div_ceil(COLUMNS) * HEIGHT;
        for (index, mut widget) in row.into_iter().enumerate() {
            widget["x"] = json!(index % COLUMNS * WIDTH);
            widget["y"] = json!(y + index / COLUMNS * HEIGHT);
            widget["width"] = json!(WIDTH);
            widget["height"] = json!(HEIGHT);
            widgets.push(widget);
        }
        y += height;
    }
    // One widget per line is readable, and still far below the size limit of a template.
    let widgets: Vec<_> = widgets.iter().map(|widget| sorted(widget).to_string()).collect();
    format!("{{\"widgets\": [\n{}\n]}}\n", widgets.join(",\n"))
}

fn overview(context: &Context<'_>) -> Vec<Value> {
    let queues = context.consumed_queues();
    let depth = |label: &str, queues: &[&str]| {
        let metrics = queues.iter().map(|queue| {
            json!(["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, {"stat": "Maximum"}])
        });
        chart(label, metrics.collect())
    };
    let dead: Vec<&str> = context
        .resources
        .services
        .iter()
        .flat_map(|service| context.dead_letter_queues(service))
        .map(|queue| queue.name.as_str())
        .collect();
    let ages = queues.iter().map(
        |queue| json!(["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue, {"stat": "Maximum"}]),
    );
    vec![
        queries(
            "Events in",
            &[metrics::own(context, "SUM", "ingest.events", " GROUP BY event_type, outcome")],
        ),
        queries(
            "Age of events when done, longest, s",
            &[metrics::own(
                context,
                "MAX",
                "consumer.event.age",
                " WHERE stage = 'done' GROUP BY \"messaging.destination.name\"",
            )],
        ),
        queries(
            "Outcomes",
            &[metrics::own(
                context,
                "SUM",
                "consumer.messages",
                " GROUP BY \"messaging.destination.name\", outcome",
            )],
        ),
        depth("Dead letters", &dead),
        depth("Backlog", &queues),
        chart("Oldest message, s", ages.collect()),
    ]
}

fn one(context: &Context<'_>, service: &ServiceResources) -> Vec<Value> {
    let name = &service.service;
    let mut widgets = Vec::new();
    if let Some(queue) = &service.queue {
        let about = metrics::about(&[queue]);
        widgets.push(queries(
            &format!("{name}: processing, average, s"),
            &[metrics::own(context, "AVG", "messaging.process.duration", &about)],
        ));
        widgets.push(queries(
            &format!("{name}: retries and dead letters"),
            &["consumer.retries", "consumer.dead_letters"]
                .map(|metric| metrics::own(context, "SUM", metric, &format!("{about} GROUP BY reason"))),
        ));
    }
    if service.listens {
        widgets.push(queries(
            &format!("{name}: answers, average, s"),
            &[metrics::own(
                context,
                "AVG",
                "http.server.request.duration",
                " GROUP BY \"http.response.status_code\"",
            )],
        ));
    }
    let physical = context.name_text(name);
    let of_tasks = |metric: &str, label: &str| {
        json!([
            "ECS/ContainerInsights", metric, "ClusterName", context.prefix(), "ServiceName", physical,
            {"label": label, "stat": "Average"},
        ])
    };
    widgets.push(chart(
        &format!("{name}: tasks, CPU, memory"),
        vec![
            of_tasks("RunningTaskCount", "tasks"),
            of_tasks("CpuUtilized", "CPU units"),
            of_tasks("MemoryUtilized", "MiB"),
        ],
    ));
    widgets
}

fn queries(title: &str, queries: &[String]) -> Value {
    let metrics = queries
        .iter()
        .enumerate()
        .map(|(number, query)| json!([{"id": format!("q{number}"), "expression": query, "period": 60}]));
    chart(title, metrics.collect())
}

fn chart(title: &str, metrics: Vec<Value>) -> Value {
    json!({
        "type": "metric",
        "properties": {
            "title": title,
            "view": "timeSeries",
            "region": "${AWS::Region}",
            "period": 60,
            "metrics": metrics,
        },
    })
}
