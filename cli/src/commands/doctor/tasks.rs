//! The services that run fewer tasks than they should, and why their last task stopped.

use serde::Deserialize;
use serde_json::json;

use super::json_api::JsonApi;

/// The most services that are described in a call
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>).
const BATCH: usize = 10;

#[derive(Debug, Deserialize)]
struct Services {
    #[serde(default)]
    services: Vec<Service>,
    #[serde(default)]
    failures: Vec<Absent>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    #[serde(rename = "serviceName")]
    name: String,
    #[serde(default)]
    desired_count: i64,
    #[serde(default)]
    running_count: i64,
}

#[derive(Debug, Deserialize)]
struct Absent {
    #[serde(default)]
    arn: String,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskArns {
    #[serde(default)]
    task_arns: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Tasks {
    #[serde(default)]
    tasks: Vec<Task>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    /// Seconds since 1970.
    #[serde(default)]
    stopped_at: f64,
    #[serde(default)]
    stopped_reason: String,
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default)]
    name: String,
    exit_code: Option<i64>,
    reason: Option<String>,
}

/// Returns what is wrong with the tasks of the services that are deployed.
///
/// # Errors
/// When ECS cannot be reached or refuses a call.
pub(super) async fn read(ecs: &JsonApi, environment: &str, services: &[&str]) -> anyhow::Result<Vec<String>> {
    let cluster = format!("{}-{environment}", contracts::APPLICATION);
    let names: Vec<String> = services.iter().map(|service| format!("{cluster}-{service}")).collect();
    let mut found = Vec::new();
    for batch in names.chunks(BATCH) {
        let input = json!({"cluster": cluster, "services": batch});
        let answer: Services = ecs.call("DescribeServices", input).await?;
        for absent in answer.failures {
            let name = absent.arn.rsplit('/').next().unwrap_or_default().to_owned();
            found.push(format!("service {name} was not found in cluster {cluster}: {}", absent.reason));
        }
        for service in answer.services.iter().filter(|service| service.running_count < service.desired_count)
        {
            let Service { name, desired_count, running_count } = service;
            let reason = last_stopped(ecs, &cluster, name).await?;
            found.push(format!(
                "service {name} runs {running_count} of {desired_count} tasks; {}",
                reason.unwrap_or_else(|| "no task has stopped within the last hour".to_owned())
            ));
        }
    }
    Ok(found)
}

/// Returns why the task that stopped last did so. ECS lists a stopped task for an hour.
async fn last_stopped(ecs: &JsonApi, cluster: &str, service: &str) -> anyhow::Result<Option<String>> {
    let input = json!({"cluster": cluster, "serviceName": service, "desiredStatus": "STOPPED"});
    let stopped: TaskArns = ecs.call("ListTasks", input).await?;
    if stopped.task_arns.is_empty() {
        return Ok(None);
    }
    let input = json!({"cluster": cluster, "tasks": stopped.task_arns});
    let tasks: Tasks = ecs.call("DescribeTasks", input).await?;
    let last = tasks.tasks.into_iter().max_by(|one, other| one.stopped_at.total_cmp(&other.stopped_at));
    Ok(last.map(|task| task.text()))
}

impl Task {
    fn text(&self) -> String {
        let containers: Vec<String> = self.containers.iter().filter_map(Container::text).collect();
        let details =
            if containers.is_empty() { String::new() } else { format!(" ({})", containers.join("; ")) };
        format!("the last one stopped: {}{details}", self.stopped_reason)
    }
}

impl Container {
    fn text(&self) -> Option<String> {
        let code = self.exit_code.map(|code| format!("exit code {code}"));
        let parts: Vec<String> = code.into_iter().chain(self.reason.clone()).collect();
        (!parts.is_empty()).then(|| format!("{}: {}", self.name, parts.join(", ")))
    }
}
