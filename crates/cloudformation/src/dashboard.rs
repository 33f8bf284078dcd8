//! The dashboards: one of the layer as a whole, whose size does not depend on the number of services, and one of each
//! service, which lives in its stack.

use serde_json::{Value, json};
use topology::ServiceResources;

use crate::context::Context;
use crate::metrics::{self, QUEUE};
use crate::template::{Template, sorted, sub};

/// Widgets side by side, each a third of the width.
const COLUMNS: usize = 3;
const WIDTH: usize = 8;
const HEIGHT: usize = 6;

/// Adds the dashboard over all services.
pub(crate) fn add_overview(template: &mut Template, context: &Context<'_>) {
    add(template, sub(context.prefix()), &overview(context));
}

/// Adds the dashboard of one service.
pub(crate) fn add_service(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    add(template, context.name(&service.service), &of_service(context, service));
}

fn add(template: &mut Template, name: Value, widgets: &[Value]) {
    let body = sub(body(widgets));
    template.resource(
        "Dashboard",
        "AWS::CloudWatch::Dashboard",
        json!({"DashboardName": name, "DashboardBody": body}),
    );
}

/// Renders a dashboard's body, as text for `Fn::Sub`.
fn body(widgets: &[Value]) -> String {
    let placed = widgets.iter().enumerate().map(|(index, widget)| {
        let mut widget = widget.clone();
        widget["x"] = json!(index % COLUMNS * WIDTH);
        widget["y"] = json!(index / COLUMNS * HEIGHT);
        widget["width"] = json!(WIDTH);
        widget["height"] = json!(HEIGHT);
        // One widget per line is readable, and still far below the size limit of a template.
        sorted(&widget).to_string()
    });
    format!("{{\"widgets\": [\n{}\n]}}\n", placed.collect::<Vec<_>>().join(",\n"))
}

fn overview(context: &Context<'_>) -> Vec<Value> {
    vec![
        insights(
            "Events in",
            metrics::insights(
                context,
                "SUM",
                "ingest.events",
                &["event_type", "outcome"],
                " GROUP BY event_type, outcome",
            ),
        ),
        insights(
            "Age of events when done, longest, s",
            metrics::insights(
                context,
                "MAX",
                "consumer.event.age",
                &[QUEUE, "stage"],
                " WHERE stage = 'done' GROUP BY \"messaging.destination.name\"",
            ),
        ),
        outcomes(context, " GROUP BY \"messaging.destination.name\", outcome"),
        insights(
            "Retries",
            metrics::insights(
                context,
                "SUM",
                "consumer.retries",
                &[QUEUE],
                " GROUP BY \"messaging.destination.name\"",
            ),
        ),
        search("Backlog and dead letters", context, "ApproximateNumberOfMessagesVisible"),
        search("Oldest message, s", context, "ApproximateAgeOfOldestMessage"),
    ]
}

fn of_service(context: &Context<'_>, service: &ServiceResources) -> Vec<Value> {
    let mut widgets = Vec::new();
    if let Some(queue) = &service.queue {
        widgets.extend(of_consumer(context, service, queue));
    }
    if service.listens {
        widgets.push(insights(
            "Answers, average, s",
            metrics::insights(
                context,
                "AVG",
                "http.server.request.duration",
                &["http.route", "http.response.status_code"],
                " GROUP BY \"http.response.status_code\"",
            ),
        ));
    }
    widgets.push(tasks(context, service));
    widgets
}

fn of_consumer(context: &Context<'_>, service: &ServiceResources, queue: &str) -> Vec<Value> {
    let of_this_queue = |rest: &str| format!(" WHERE \"{QUEUE}\" = '{queue}'{rest}");
    let by_reason = |title: &str, metric: &str| {
        let clauses = of_this_queue(" GROUP BY reason");
        insights(title, metrics::insights(context, "SUM", metric, &[QUEUE, "reason"], &clauses))
    };
    let processing = json!([
        context.metrics_namespace(), "messaging.process.duration", QUEUE, queue, {"stat": "Average"},
    ]);
    let ages = ["p50", "p99"].map(|statistic| {
        json!([
            context.metrics_namespace(), "consumer.event.age", QUEUE, queue, "stage", "done",
            {"stat": statistic, "label": statistic},
        ])
    });
    let dead = context.dead_letter_queues(service).into_iter().map(|dead| depth(&dead.name));
    vec![
        chart("Age of events when done, s", ages.into()),
        chart("Processing, average, s", vec![processing]),
        outcomes(context, &of_this_queue(" GROUP BY outcome")),
        by_reason("Retries", "consumer.retries"),
        by_reason("Dead-lettered", "consumer.dead_letters"),
        chart("Backlog and dead letters", std::iter::once(depth(queue)).chain(dead).collect()),
    ]
}

fn outcomes(context: &Context<'_>, clauses: &str) -> Value {
    let query = metrics::insights(context, "SUM", "consumer.messages", &[QUEUE, "outcome"], clauses);
    insights("Outcomes", query)
}

fn depth(queue: &str) -> Value {
    json!(["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, {"stat": "Maximum"}])
}

fn tasks(context: &Context<'_>, service: &ServiceResources) -> Value {
    let physical = context.name_text(&service.service);
    let of_tasks = |metric: &str, label: &str| {
        json!([
            "ECS/ContainerInsights", metric, "ClusterName", context.prefix(), "ServiceName", physical,
            {"label": label, "stat": "Average"},
        ])
    };
    chart(
        "Tasks, CPU, memory",
        vec![
            of_tasks("RunningTaskCount", "tasks"),
            of_tasks("CpuUtilized", "CPU units"),
            of_tasks("MemoryUtilized", "MiB"),
        ],
    )
}

fn insights(title: &str, query: String) -> Value {
    chart(title, vec![json!([{"id": "all", "expression": query, "period": 60}])])
}

/// A chart of a metric of every queue of the environment
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html>).
fn search(title: &str, context: &Context<'_>, metric: &str) -> Value {
    let wanted = format!("{{AWS/SQS,QueueName}} MetricName=\"{metric}\" QueueName=\"{}\"", context.prefix());
    let expression = format!("SEARCH('{wanted}', 'Maximum', 60)");
    chart(title, vec![json!([{"id": "all", "expression": expression, "period": 60}])])
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
