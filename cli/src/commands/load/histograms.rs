//! The times of a load in files that `HdrHistogram`'s tools read: one for each kind of times, with an interval for each step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use histogram_log::Interval;

use super::times::Times;
use crate::failure::Failure;

/// Times with their name, which becomes that of a file, and what they are.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) name: String,
    pub(super) what: &'static str,
    pub(super) times: Times,
}

/// A directory of histograms.
#[derive(Debug)]
pub(super) struct Histograms {
    directory: PathBuf,
    logs: BTreeMap<String, (&'static str, Vec<Interval>)>,
}

impl Histograms {
    /// Creates the directory if it does not exist.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn in_directory(directory: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(directory).map_err(|error| refused(directory, &error))?;
        Ok(Self { directory: directory.to_owned(), logs: BTreeMap::new() })
    }

    /// Adds the times of a step, and writes all files, so that those of a load that is ended early are there.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn add(
        &mut self,
        began: SystemTime,
        length: Duration,
        recorded: Vec<Recorded>,
    ) -> Result<(), Failure> {
        for Recorded { name, what, times } in recorded {
            let (_, intervals) = self.logs.entry(name).or_insert((what, Vec::new()));
            intervals.push(times.interval(began, length));
        }
        for (name, (what, intervals)) in &self.logs {
            let file = self.directory.join(format!("{name}.hlog"));
            histogram_log::write(&file, what, intervals).map_err(|error| refused(&file, &error))?;
        }
        Ok(())
    }
}

fn refused(path: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(format!("{}: cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str, microseconds: i64) -> Recorded {
        let mut times = Times::none();
        times.count(microseconds);
        Recorded { name: name.to_owned(), what: "tested", times }
    }

    #[test]
    fn each_step_is_an_interval_of_each_file() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("made");
        let mut histograms = Histograms::in_directory(&directory).unwrap();
        let step = Duration::from_secs(5);
        let first = vec![recorded("accept", 1_000), recorded("hop-email-notification", 2_000)];
        histograms.add(SystemTime::UNIX_EPOCH, step, first).unwrap();
        histograms.add(SystemTime::UNIX_EPOCH + step, step, vec![recorded("accept", 3_000)]).unwrap();

        let read = |name| histogram_log::read(&directory.join(name)).unwrap();
        let accept = read("accept.hlog");
        let largest: Vec<_> = accept.iter().map(|interval| interval.histogram.max()).collect();
        assert_eq!(
            (largest.as_slice(), accept[1].began),
            (&[1_000, 3_001][..], SystemTime::UNIX_EPOCH + step)
        );
        assert_eq!(read("hop-email-notification.hlog").len(), 1);
    }
}
