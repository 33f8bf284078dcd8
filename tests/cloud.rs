//! The local cloud as a process, as docker compose runs it.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::world::{PATIENCE, say_all};

/// `foostore cloud --provision`.
pub(crate) struct Cloud {
    process: Child,
    address: String,
    endpoint: String,
}

impl Cloud {
    /// Starts the cloud with further options and waits until it is ready.
    pub(crate) async fn start(address: &str, options: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_foostore"))
            .args(["cloud", "--provision", "--json", "--address", address, "--otlp-address", "127.0.0.1:0"])
            .args(options)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        say_all("cloud: ", process.stderr.take().unwrap());
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("the cloud starts").unwrap();
        assert!(line.expect("a line").contains("\"ready\":true"));
        Self { process, address: address.to_owned(), endpoint: format!("http://{address}") }
    }

    /// Returns the options with which `foostore up` runs its services at this cloud.
    pub(crate) fn options(&self) -> [&str; 3] {
        ["--endpoint-url", &self.endpoint, "--no-provision"]
    }

    /// Whether its health check, which is that of the container, succeeds.
    pub(crate) async fn is_healthy(&self) -> bool {
        let check = Command::new(env!("CARGO_BIN_EXE_foostore"))
            .args(["cloud", "--health", "--address", &self.address])
            .stderr(Stdio::null())
            .status();
        check.await.unwrap().success()
    }

    /// Returns the memory that it occupies, in KiB.
    pub(crate) fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Returns the processor time that it has used, in clock ticks of 10 ms (`USER_HZ`).
    pub(crate) fn processor_ticks(&self) -> usize {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id().unwrap())).unwrap();
        // After the name, which may contain spaces: utime and stime are the fields 14 and 15 of proc_pid_stat(5).
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        fields.skip(11).take(2).map(|ticks| ticks.parse::<usize>().unwrap()).sum()
    }

    /// Kills it with SIGKILL.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }
}
