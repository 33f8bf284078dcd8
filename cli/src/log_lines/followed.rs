//! The log files of a directory, read once or followed as they grow.

use std::collections::BTreeMap;
use std::fs::File;
#[cfg(feature = "local")]
use std::io::Seek as _;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::file_names::EXTENSION;
use super::line::Line;
use super::select::Record;
use crate::failure::Failure;

/// The log files of a directory.
#[derive(Debug)]
pub(crate) struct LogFiles {
    directory: PathBuf,
    /// By device and inode, because a full file is renamed.
    open: BTreeMap<(u64, u64), Open>,
}

/// A file that has been read so far.
#[derive(Debug)]
struct Open {
    service: String,
    file: File,
    /// The beginning of a line whose end has not been written yet.
    rest: Vec<u8>,
}

impl LogFiles {
    /// Opens nothing yet.
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), open: BTreeMap::new() }
    }

    /// Passes over what has been written so far.
    ///
    /// # Errors
    /// When the directory has no log files, or one cannot be read.
    #[cfg(feature = "local")]
    pub(crate) fn at_end(directory: &Path) -> anyhow::Result<Self> {
        let mut files = Self::new(directory);
        for path in files.paths()? {
            let unreadable = || format!("{} cannot be read", path.display());
            let mut file = File::open(&path).with_context(unreadable)?;
            file.seek(io::SeekFrom::End(0)).with_context(unreadable)?;
            let metadata = file.metadata().with_context(unreadable)?;
            let open = Open { service: service(&path), file, rest: Vec::new() };
            files.open.insert((metadata.dev(), metadata.ino()), open);
        }
        Ok(files)
    }

    /// Returns the records that were written since the last call.
    ///
    /// # Errors
    /// When the directory has no log files, or one cannot be read.
    pub(crate) fn read(&mut self) -> anyhow::Result<Vec<Record>> {
        let mut records = Vec::new();
        self.lines(|service, line| {
            if let Line::Record(fields) = Line::read(line) {
                records.push(Record { service: service.to_owned(), fields });
            }
        })?;
        Ok(records)
    }

    /// Passes each whole line that was written since the last call to `take`, with its service.
    ///
    /// # Errors
    /// When the directory has no log files, or one cannot be read.
    pub(crate) fn lines(&mut self, mut take: impl FnMut(&str, &str)) -> anyhow::Result<()> {
        let unreadable = || format!("{} cannot be read", self.directory.display());
        // What was there before a file took its place is read to its end, and then closed.
        for open in self.open.values_mut() {
            open.lines(&mut take).with_context(unreadable)?;
        }
        let mut found = BTreeMap::new();
        let paths = self.paths()?;
        for path in &paths {
            let unreadable = || format!("{} cannot be read", path.display());
            let file = match File::open(path) {
                // It was renamed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file.with_context(unreadable)?,
            };
            let metadata = file.metadata().with_context(unreadable)?;
            let id = (metadata.dev(), metadata.ino());
            let open = if let Some(open) = self.open.remove(&id) {
                open
            } else {
                let mut open = Open { service: service(path), file, rest: Vec::new() };
                open.lines(&mut take).with_context(unreadable)?;
                open
            };
            found.insert(id, open);
        }
        self.open = found;
        Ok(())
    }

    fn paths(&self) -> Result<Vec<PathBuf>, Failure> {
        let none = || {
            Failure::unavailable(format!(
                "no log files in {}: start `foostore up`, or name another directory with --log-dir",
                self.directory.display()
            ))
        };
        let entries = std::fs::read_dir(&self.directory).map_err(|_| none())?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|found| found == EXTENSION));
        if paths.is_empty() {
            return Err(none());
        }
        Ok(paths)
    }
}

impl Open {
    fn lines(&mut self, take: &mut impl FnMut(&str, &str)) -> io::Result<()> {
        self.file.read_to_end(&mut self.rest)?;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        for line in String::from_utf8_lossy(&whole).lines() {
            take(&self.service, line);
        }
        Ok(())
    }
}

/// Returns the service whose file this is: a long run has a second one, `NAME.older`.
fn service(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    stem.split('.').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn messages(files: &mut LogFiles) -> Vec<String> {
        let records = files.read().unwrap().into_iter();
        records
            .map(|record| format!("{} {}", record.service, record.fields["message"].as_str().unwrap()))
            .collect()
    }

    #[test]
    fn only_log_files_are_read_and_their_absence_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = LogFiles::new(directory.path());
        let error = files.read().unwrap_err().to_string();
        assert!(error.contains("foostore up"), "{error}");
        std::fs::write(directory.path().join("notes.txt"), "{\"message\":\"no\"}\n").unwrap();
        std::fs::write(directory.path().join("email.jsonl"), "{\"message\":\"sent\"}\nhalf a li").unwrap();
        assert_eq!(messages(&mut files), ["email sent"]);
    }

    #[test]
    fn files_are_followed_beyond_half_lines_and_new_names() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mut file = File::create(at("email.jsonl")).unwrap();
        file.write_all(b"{\"message\":\"1\"}\n{\"mess").unwrap();
        let mut files = LogFiles::new(directory.path());
        assert_eq!(messages(&mut files), ["email 1"]);
        file.write_all(b"age\":\"2\"}\n").unwrap();
        assert_eq!(messages(&mut files), ["email 2"]);
        file.write_all(b"{\"message\":\"3\"}\n").unwrap();
        std::fs::rename(at("email.jsonl"), at("email.older.jsonl")).unwrap();
        std::fs::write(at("email.jsonl"), "{\"message\":\"4\"}\n").unwrap();
        std::fs::write(at("ingest.jsonl"), "{\"message\":\"5\"}\n").unwrap();
        let mut read = messages(&mut files);
        read.sort();
        assert_eq!(read, ["email 3", "email 4", "ingest 5"]);
        assert!(messages(&mut files).is_empty());
    }

    #[cfg(feature = "local")]
    #[test]
    fn what_was_written_before_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("email.jsonl");
        std::fs::write(&path, "{\"message\":\"1\"}\n").unwrap();
        let mut files = LogFiles::at_end(directory.path()).unwrap();
        assert!(messages(&mut files).is_empty());
        File::options().append(true).open(&path).unwrap().write_all(b"{\"message\":\"2\"}\n").unwrap();
        assert_eq!(messages(&mut files), ["email 2"]);
    }
}
