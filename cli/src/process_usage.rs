//! The memory and processor time of another process.

/// Clock ticks of `/proc` in a second: the kernel reports 100 to programs on every architecture that Rust's standard
/// library supports (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>, `sysconf(_SC_CLK_TCK)`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process uses.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// The memory that is resident now.
    pub(crate) memory_bytes: Option<u64>,
    /// The processor time so far, in seconds.
    pub(crate) cpu_s: Option<f64>,
}

impl Usage {
    /// Returns what the process uses, as far as the system tells: nothing where there is no `/proc`.
    pub(crate) fn of(pid: u32) -> Self {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        Self { memory_bytes: memory(&read("status")), cpu_s: cpu(&read("stat")) }
    }
}

fn memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn cpu(stat: &str) -> Option<f64> {
    // The second field is the program's name in parentheses, which may contain anything. The times are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map_while(|field| field.parse::<u32>().ok());
    Some((f64::from(times.next()?) + f64::from(times.next()?)) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_read_from_proc() {
        assert_eq!(memory("Name:\tfoostore\nVmRSS:\t   24576 kB\nThreads:\t4\n"), Some(24 * 1024 * 1024));
        assert_eq!(cpu("7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 1 2 3"), Some(3.0));
        assert_eq!((memory(""), cpu("")), (None, None));
    }
}
