//! A second task of a service that runs already: the same program with the same environment, as when a service is scaled out.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::process::Command;

use crate::process::memory;

/// How long it may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two looks at it.
const POLL: Duration = Duration::from_millis(1);

/// How a second task started.
pub(crate) struct Second {
    pub(crate) ready_in: Duration,
    /// What it had resident then, in bytes.
    pub(crate) memory: u64,
}

/// Starts a second task of the service that is the process `pid`, and ends it once it is ready.
///
/// # Errors
/// When it does not become ready.
pub(crate) async fn started(pid: u32, directory: &Path) -> anyhow::Result<Second> {
    let addresses = directory.join("addresses");
    if addresses.exists() {
        std::fs::remove_file(&addresses)?;
    }
    let mut command = Command::new(std::fs::read_link(format!("/proc/{pid}/exe"))?);
    command
        .args(texts(pid, "cmdline")?.into_iter().skip(1))
        .env_clear()
        .envs(texts(pid, "environ")?.into_iter().filter_map(variable))
        .env("ADDRESSES_FILE", &addresses)
        .env("HEALTH_ADDRESS", "127.0.0.1:0")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let client = reqwest::Client::new();
    let began = Instant::now();
    let mut child = command.spawn()?;
    // The services of a layer end with their standard input, which waiting for the process would close.
    let _input = child.stdin.take();
    let ready = async {
        loop {
            if let Some(address) = health(&addresses)
                && let Ok(answer) = client.get(format!("http://{address}/health/ready")).send().await
                && answer.status().is_success()
            {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::select! {
        ended = tokio::time::timeout(PATIENCE, ready) => ended.context("waiting for a second task")?,
        status = child.wait() => anyhow::bail!("a second task ended: {}", status?),
    }
    let ready_in = began.elapsed();
    let memory = memory(child.id().context("a second task has ended")?, "VmRSS:")?;
    child.kill().await?;
    Ok(Second { ready_in, memory })
}

/// Returns the texts in a file that Linux keeps of a process, which end with a zero each.
fn texts(pid: u32, file: &str) -> anyhow::Result<Vec<OsString>> {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}"))?;
    let texts = bytes.split(|byte| *byte == 0).filter(|text| !text.is_empty());
    Ok(texts.map(|text| OsString::from_vec(text.to_vec())).collect())
}

fn variable(text: OsString) -> Option<(OsString, OsString)> {
    let mut name = text.into_vec();
    let equals = name.iter().position(|byte| *byte == b'=')?;
    let value = name.split_off(equals + 1);
    name.pop();
    Some((OsString::from_vec(name), OsString::from_vec(value)))
}

/// Returns where the task answers, once it has written that.
fn health(addresses: &Path) -> Option<SocketAddr> {
    let text = std::fs::read_to_string(addresses).ok()?;
    text.lines().find_map(|line| line.strip_prefix("health "))?.parse().ok()
}
