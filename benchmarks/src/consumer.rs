//! Consumers side by side: what a message costs, and how fast a queue is drained.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::process::Command;

use crate::process::Process;
use crate::queue::Queue;

/// What is measured of a consumer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Result {
    pub(crate) name: &'static str,
    /// Processor time of a message, in microseconds.
    pub(crate) cpu_us: f64,
    /// Messages handled in a second of wall time.
    pub(crate) per_second: f64,
    /// The most memory that was resident, in bytes.
    pub(crate) peak_memory: u64,
}

/// A consumer in one of its settings.
pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) variables: Vec<(&'static str, &'static str)>,
    /// Of how many traces one is recorded; 0 for none.
    pub(crate) sampled: usize,
}

/// The consumers of this repository.
pub(crate) fn own(program: &Path) -> Vec<Candidate> {
    let own = |name, measured: &str, sampled, variables: &[(&'static str, &'static str)]| Candidate {
        name,
        program: program.to_owned(),
        arguments: vec!["measured".into(), measured.into()],
        variables: variables.to_vec(),
        sampled,
    };
    vec![
        own("bare loop", "bare", 0, &[]),
        own("consumer, unsampled", "consumer", 0, &[]),
        own("consumer, 5 %", "consumer", 20, &[]),
        own("consumer, 100 %", "consumer", 1, &[]),
        own("consumer, unsampled, no log", "consumer", 0, &[("RUST_LOG", "warn")]),
    ]
}

/// Where the programs find the local cloud.
pub(crate) struct Surroundings<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) otlp: &'a str,
    pub(crate) logs: &'a Path,
}

/// Lets a consumer drain a queue of `messages`, after a warm-up of `warm_up`.
pub(crate) async fn measure(
    candidate: &Candidate,
    around: &Surroundings<'_>,
    (warm_up, messages): (usize, usize),
) -> anyhow::Result<Result> {
    let queue = Queue::create(around.endpoint, &candidate.name.replace([' ', ',', '%', '.'], "-")).await?;
    queue.fill(warm_up + messages, candidate.sampled).await?;
    let mut command = Command::new(&candidate.program);
    command
        .args(&candidate.arguments)
        .env("AWS_ENDPOINT_URL", around.endpoint)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "benchmarks")
        .env("AWS_SECRET_ACCESS_KEY", "benchmarks")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", around.otlp)
        .env("HEALTH_ADDRESS", "127.0.0.1:0")
        .env("QUEUE_URL", &queue.url)
        .env("DEAD_LETTER_QUEUE_URL", &queue.dead_letter_url)
        .env("CONSUMER_MAX_POLLERS", "4")
        .env("CONSUMER_CONCURRENCY", "32")
        .env("WARM_UP", warm_up.to_string())
        .envs(candidate.variables.iter().copied());
    let log = around.logs.join(format!("{}.log", candidate.name));
    let mut process = Process::start(command, &log)?;
    process.reports("warm").await?;
    let (began, cpu_before) = (Instant::now(), process.cpu()?);
    queue.drained().await?;
    let (wall, cpu) = (began.elapsed(), process.cpu()?.saturating_sub(cpu_before));
    let peak_memory = process.peak_memory()?;
    process.end().await?;
    #[expect(clippy::cast_precision_loss, reason = "a number of messages")]
    let messages = messages as f64;
    Ok(Result {
        name: candidate.name,
        cpu_us: micros(cpu) / messages,
        per_second: messages / wall.as_secs_f64(),
        peak_memory,
    })
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
