//! What the measured programs need: a local cloud, which is part of this process, and a directory.

use std::path::Path;

use anyhow::Context as _;
use local_cloud::{LocalCloud, Settings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// The access key by which the local cloud tells the requests of a measured program from those of this one.
const CALLER: &str = "measured";

/// Room for a million messages.
const MEMORY_MIB: usize = 8 * 1024;

/// A local cloud without anything in it, and a directory.
pub(crate) struct Surroundings {
    cloud: LocalCloud,
    directory: TempDir,
}

impl Surroundings {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let anywhere = ([127, 0, 0, 1], 0).into();
        let settings = Settings {
            address: anywhere,
            otlp_address: anywhere,
            memory_mib: MEMORY_MIB,
            ..Settings::default()
        };
        Ok(Self { cloud: local_cloud::start(settings).await?, directory: tempfile::tempdir()? })
    }

    pub(crate) fn endpoint(&self) -> String {
        self.cloud.endpoint_url()
    }

    /// A directory for what programs write.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Tells a program where the cloud is, and by which name to call it.
    pub(crate) fn describe(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", CALLER)
            .env("AWS_SECRET_ACCESS_KEY", "benchmarks")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.cloud.otlp_address()))
            .env("HEALTH_ADDRESS", "127.0.0.1:0");
    }

    /// Forgets the requests made so far.
    pub(crate) async fn forget_requests(&self) -> anyhow::Result<()> {
        reqwest::Client::new().delete(self.calls()).send().await?.error_for_status()?;
        Ok(())
    }

    /// Returns the number of requests that measured programs have made since.
    pub(crate) async fn requests(&self) -> anyhow::Result<f64> {
        let calls: Value = reqwest::get(self.calls()).await?.error_for_status()?.json().await?;
        let calls = calls["calls"].as_array().context("no calls in the answer")?;
        let own = calls.iter().filter(|call| call["caller"] == CALLER);
        Ok(own.filter_map(|call| call["count"].as_f64()).sum())
    }

    fn calls(&self) -> String {
        format!("{}/_local/calls", self.endpoint())
    }

    pub(crate) async fn stop(self) {
        self.cloud.shutdown().await;
    }
}
