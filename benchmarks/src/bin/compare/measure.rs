//! One measurement: a consumer drains a queue.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::candidate::Candidate;
use crate::process::Process;
use crate::queue::Queue;

/// The access key by which the local cloud tells the consumer's requests from those of this program.
const CALLER: &str = "consumer";

/// Where the programs find the local cloud, and where their logs go.
pub(crate) struct Surroundings<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) otlp: &'a str,
    pub(crate) logs: &'a Path,
}

/// What is measured of a consumer.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Measured {
    /// Processor time of a message, in microseconds.
    pub(crate) cpu_us: f64,
    /// Requests to SQS for a message, the warm-up's included: each of them is paid for.
    pub(crate) requests: f64,
    /// Messages drained in a second of wall time.
    pub(crate) per_second: f64,
    /// The most memory that was resident, in bytes.
    pub(crate) peak_memory: u64,
}

/// Lets a consumer drain a queue of `messages`, after a warm-up of `warm_up`, several times as long if it needs that.
pub(crate) async fn measure(
    candidate: &Candidate,
    around: &Surroundings<'_>,
    warm_up: usize,
    messages: usize,
) -> anyhow::Result<Measured> {
    let name: String =
        candidate.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let queue = Queue::create(around.endpoint).await?;
    let warm_up = warm_up * candidate.warm_ups;
    queue.fill(warm_up + messages, candidate.sampled).await?;
    let mut command = candidate.command();
    command
        .env("AWS_ENDPOINT_URL", around.endpoint)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", CALLER)
        .env("AWS_SECRET_ACCESS_KEY", "benchmarks")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", around.otlp)
        .env("HEALTH_ADDRESS", "127.0.0.1:0")
        .env("QUEUE_URL", &queue.url)
        .env("DEAD_LETTER_QUEUE_URL", &queue.dead_letter_url)
        .env("CONSUMER_MAX_POLLERS", "4")
        .env("CONSUMER_CONCURRENCY", "32")
        .env("WARM_UP", warm_up.to_string());
    let calls = format!("{}/_local/calls", around.endpoint);
    reqwest::Client::new().delete(&calls).send().await?.error_for_status()?;
    let mut process = Process::start(command, &around.logs.join(format!("{name}.log")))?;
    process.reports(benchmarks::WARM).await?;
    let (began, cpu_before) = (Instant::now(), process.cpu()?);
    queue.drained().await?;
    let (wall, cpu) = (began.elapsed(), process.cpu()?.saturating_sub(cpu_before));
    let peak_memory = process.peak_memory()?;
    let requests = requests(&reqwest::get(&calls).await?.error_for_status()?.json().await?);
    process.end().await?;
    queue.delete().await?;
    #[expect(clippy::cast_precision_loss, reason = "a number of messages")]
    let (all, messages) = ((warm_up + messages) as f64, messages as f64);
    Ok(Measured {
        cpu_us: micros(cpu) / messages,
        requests: requests / all,
        per_second: messages / wall.as_secs_f64(),
        peak_memory,
    })
}

/// Returns the number of requests that the consumer made, according to the local cloud.
fn requests(calls: &Value) -> f64 {
    let calls = calls["calls"].as_array().into_iter().flatten();
    let own = calls.filter(|call| call["caller"] == CALLER);
    own.filter_map(|call| call["count"].as_f64()).sum()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
