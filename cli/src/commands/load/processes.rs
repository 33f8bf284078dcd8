//! The processor time and memory of the processes of a run, and how they trace.

use std::path::{Path, PathBuf};

use super::document::{Process, Tracing};
use crate::layer;
use crate::process_usage::Usage;
use crate::service_state::{ServiceState, UP};

/// The variables by which a service samples traces.
const SAMPLER: [&str; 2] = ["OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"];

/// The processes of a run since it was begun to watch them.
pub(super) struct Processes {
    directory: PathBuf,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    pid: Option<u32>,
    /// Of the current process before it was watched.
    before_s: f64,
    /// Of processes that have ended.
    ended_s: f64,
    latest_s: Option<f64>,
    /// At the latest effect.
    busy_s: Option<f64>,
    memory_bytes_max: Option<u64>,
    restarts: u32,
}

impl Processes {
    /// Begins to watch the processes of the run in this directory: `up` and the services.
    pub(super) fn watch(directory: &Path, services: &[String]) -> Self {
        let runs = |name: &&str| services.iter().any(|one| one == name);
        let rows = std::iter::once(UP).chain(layer::names().filter(runs)).map(|name| {
            let pid = pid(directory, name);
            let usage = pid.map(Usage::of).unwrap_or_default();
            Row {
                name,
                pid,
                before_s: usage.cpu_s.unwrap_or_default(),
                ended_s: 0.0,
                latest_s: usage.cpu_s.map(|_| 0.0),
                busy_s: usage.cpu_s.map(|_| 0.0),
                memory_bytes_max: usage.memory_bytes,
                restarts: 0,
            }
        });
        Self { directory: directory.to_owned(), rows: rows.collect() }
    }

    /// Looks at the processes. What they have used counts up to the last look at which they were `busy`: a wait for lost
    /// events is no work.
    pub(super) fn look(&mut self, busy: bool) {
        for row in &mut self.rows {
            let pid = pid(&self.directory, row.name);
            row.look(pid, pid.map(Usage::of).unwrap_or_default(), busy);
        }
    }

    /// Returns what each process has used: first `up` with the local cloud, then the services.
    pub(super) fn used(&self) -> Vec<Process> {
        let used = |row: &Row| Process {
            name: row.name.to_owned(),
            cpu_s: row.busy_s,
            memory_bytes_max: row.memory_bytes_max,
            restarts: row.restarts,
        };
        self.rows.iter().map(used).collect()
    }
}

impl Row {
    fn look(&mut self, pid: Option<u32>, usage: Usage, busy: bool) {
        if pid.is_some() && pid != self.pid {
            self.ended_s = self.latest_s.unwrap_or_default();
            self.before_s = 0.0;
            self.restarts += u32::from(self.pid.is_some());
            self.pid = pid;
        }
        if let Some(cpu_s) = usage.cpu_s {
            self.latest_s = Some(self.ended_s + cpu_s - self.before_s);
        }
        if busy {
            self.busy_s = self.latest_s;
        }
        self.memory_bytes_max = self.memory_bytes_max.max(usage.memory_bytes);
    }
}

fn pid(directory: &Path, name: &str) -> Option<u32> {
    ServiceState::read(directory, name)?.pid
}

/// Returns the processor time of the services together, without the local cloud.
pub(super) fn of_the_services(processes: &[Process]) -> Option<f64> {
    processes.iter().filter(|process| process.name != UP).map(|process| process.cpu_s).sum()
}

/// Returns how ingest samples the traces that begin there; `None` where the system does not tell.
pub(super) fn tracing(directory: &Path) -> Option<Tracing> {
    let pid = pid(directory, ingest::NAME)?;
    sampler(&std::fs::read(format!("/proc/{pid}/environ")).ok()?)
}

/// Returns the sampler in the environment of a process.
fn sampler(environment: &[u8]) -> Option<Tracing> {
    let value = |name: &str| {
        let variable = |entry: &[u8]| {
            let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        environment.split(|byte| *byte == 0).find_map(variable)
    };
    let [sampler, argument] = SAMPLER.map(value);
    Some(Tracing { sampler: sampler?, argument })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(cpu_s: f64, memory: u64) -> Usage {
        Usage { memory_bytes: Some(memory), cpu_s: Some(cpu_s) }
    }

    #[test]
    fn time_counts_from_the_start_to_the_last_effect_over_restarts() {
        let mut row = Row {
            name: "email",
            pid: Some(1),
            before_s: 10.0,
            ended_s: 0.0,
            latest_s: Some(0.0),
            busy_s: Some(0.0),
            memory_bytes_max: None,
            restarts: 0,
        };
        row.look(Some(1), usage(12.0, 100), true);
        assert_eq!(row.busy_s, Some(2.0));
        row.look(Some(1), usage(13.0, 50), false);
        assert_eq!((row.busy_s, row.memory_bytes_max), (Some(2.0), Some(100)));
        row.look(None, Usage::default(), false);
        row.look(Some(2), usage(0.5, 70), true);
        assert_eq!((row.busy_s, row.restarts), (Some(3.5), 1));
    }

    #[test]
    fn the_local_cloud_is_no_service() {
        let process =
            |name: &str, cpu_s| Process { name: name.to_owned(), cpu_s, memory_bytes_max: None, restarts: 0 };
        let all = [process(UP, Some(9.0)), process("ingest", Some(1.0)), process("email", Some(2.0))];
        assert_eq!(of_the_services(&all), Some(3.0));
        assert_eq!(of_the_services(&[process("ingest", None)]), None);
    }

    #[test]
    fn the_sampler_is_read_and_nothing_else() {
        let environment =
            b"SECRET=x\0OTEL_TRACES_SAMPLER=parentbased_traceidratio\0OTEL_TRACES_SAMPLER_ARG=0.05\0";
        let expected =
            Tracing { sampler: "parentbased_traceidratio".to_owned(), argument: Some("0.05".to_owned()) };
        assert_eq!(sampler(environment), Some(expected));
        assert_eq!(sampler(b"A=1\0"), None);
    }
}
