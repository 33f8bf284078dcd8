//! The whole layer as a process: the program `foostore`, what it reports once it is ready, and its end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::arguments::Arguments;
use crate::programs;

/// How long the layer may take until it is ready, and to end.
const PATIENCE: Duration = Duration::from_mins(2);

/// Returns the program: the one that was given, or else one built as this program was.
///
/// # Errors
/// When it cannot be built.
pub(crate) async fn program(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    if let Some(program) = &arguments.foostore {
        return Ok(program.canonicalize()?);
    }
    programs::foostore().await
}

/// Which services run, and what else differs from a layer as it is.
pub(crate) struct Shape<'a> {
    /// The names of the services, separated by commas; all if there are none.
    pub(crate) only: Option<&'a str>,
    /// Variables of the services.
    pub(crate) environment: &'a [(&'a str, &'a str)],
}

impl Shape<'_> {
    /// All services, as they are.
    pub(crate) const WHOLE: Self = Self { only: None, environment: &[] };
}

/// A running layer. It ends when this is dropped.
pub(crate) struct Layer {
    program: PathBuf,
    directory: PathBuf,
    child: Child,
    /// The time from the start of the process until it reported that everything was ready.
    pub(crate) started_in: Duration,
    /// The process ids of the services by their names.
    pub(crate) services: BTreeMap<String, u32>,
}

/// What `foostore up --json` reports.
#[derive(Deserialize)]
struct Ready {
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    pid: u32,
}

impl Layer {
    /// Starts a layer without traffic, whose logs are written below `directory`, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) async fn start(program: &Path, directory: &Path, shape: &Shape<'_>) -> anyhow::Result<Self> {
        let began = Instant::now();
        let mut command = Command::new(program);
        command
            .args(["up", "--json", "--no-traffic", "--exit-with-stdin"])
            .args(["--cloud-address", "127.0.0.1:0", "--otlp-address", "127.0.0.1:0"])
            .args(["--ingest-address", "127.0.0.1:0", "--log-dir"])
            .arg(directory)
            .args(shape.only.iter().flat_map(|only| ["--only", only]))
            .envs(shape.environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.context("waiting for the layer")??.context("the layer ended before it was ready")?;
        let started_in = began.elapsed();
        let ready: Ready = serde_json::from_str(&line).context("reading what the layer reports")?;
        let services = ready.services.into_iter().map(|(name, service)| (name, service.pid)).collect();
        // What it writes from now on is not read, and must not block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { program: program.to_owned(), directory: directory.to_owned(), child, started_in, services })
    }

    /// Returns the process id of the local cloud.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the layer has ended")
    }

    /// Posts events to it, as the arguments of `foostore load` say, and returns what that found.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) async fn load(&self, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
        let mut command = Command::new(&self.program);
        command.args(["load", "--json", "--log-dir"]).arg(&self.directory).args(arguments);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "foostore load: {said}");
        serde_json::from_slice(&output.stdout).context("reading the result of foostore load")
    }

    /// Lets it drain and end.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("waiting for the layer's end")??;
        Ok(())
    }
}
