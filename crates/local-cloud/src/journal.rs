//! A file of JSON lines that outlives the process.
//!
//! Each line is appended in one write, so a process that is killed leaves whole lines and at most one torn one, which the
//! next start cuts off. The size is bounded: a full file becomes the older half, and the previous older half is dropped.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    older: PathBuf,
    /// The limit of each of the two files.
    max_bytes: u64,
    newest: Mutex<Newest>,
}

#[derive(Debug)]
struct Newest {
    file: File,
    bytes: u64,
    /// Whether a failed write has been reported; once is enough.
    reported: bool,
}

impl Journal {
    /// Opens `NAME.jsonl` in the directory, which it creates, and passes each line of an earlier run to `read`, oldest
    /// first. Both files together hold about `max_bytes`.
    ///
    /// # Errors
    /// When the directory or the files cannot be created, read or written.
    pub(crate) fn open(
        directory: &Path,
        name: &str,
        max_bytes: usize,
        mut read: impl FnMut(&str),
    ) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let path = directory.join(format!("{name}.jsonl"));
        let older = directory.join(format!("{name}.older.jsonl"));
        if older.exists() {
            whole_lines(&File::open(&older)?, &mut read)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let bytes = whole_lines(&file, &mut read)?;
        // A line written after a torn one would be lost with it.
        file.set_len(bytes)?;
        let max_bytes = u64::try_from(max_bytes / 2).unwrap_or(u64::MAX);
        Ok(Self { path, older, max_bytes, newest: Mutex::new(Newest { file, bytes, reported: false }) })
    }

    /// Appends a line, which must not contain a line break. A failure, such as a full disk, is logged: what is in
    /// memory remains of use.
    pub(crate) fn append(&self, line: &str) {
        let mut newest = self.newest();
        if let Err(error) = self.try_append(&mut newest, line)
            && !newest.reported
        {
            newest.reported = true;
            tracing::warn!(file = %self.path.display(), %error, "a file cannot be written: what it keeps ends with the process");
        }
    }

    fn try_append(&self, newest: &mut Newest, line: &str) -> io::Result<()> {
        let text = format!("{line}\n");
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if newest.bytes > 0 && newest.bytes.saturating_add(length) > self.max_bytes {
            std::fs::rename(&self.path, &self.older)?;
            newest.file = OpenOptions::new().append(true).create(true).open(&self.path)?;
            newest.bytes = 0;
        }
        newest.file.write_all(text.as_bytes())?;
        newest.bytes += length;
        Ok(())
    }

    /// Drops every line.
    pub(crate) fn forget(&self) {
        let mut newest = self.newest();
        let emptied = newest.file.set_len(0).and_then(|()| match std::fs::remove_file(&self.older) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        });
        match emptied {
            Ok(()) => newest.bytes = 0,
            Err(error) => tracing::warn!(file = %self.path.display(), %error, "a file cannot be emptied"),
        }
    }

    /// A panic while the lock was held leaves at most a torn line.
    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads lines as far as they have ended; returns their length in bytes.
fn whole_lines(file: &File, read: &mut impl FnMut(&str)) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let mut whole = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Ok(whole);
        }
        whole += u64::try_from(length).unwrap_or_default();
        read(&String::from_utf8_lossy(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path, max_bytes: usize) -> (Journal, Vec<String>) {
        let mut lines = Vec::new();
        let journal =
            Journal::open(directory, "mails", max_bytes, |line| lines.push(line.to_owned())).unwrap();
        (journal, lines)
    }

    #[test]
    fn lines_are_there_after_a_restart_except_for_a_torn_one() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("new");
        let (journal, lines) = open(&below, 1_000);
        assert!(lines.is_empty());
        journal.append("1");
        journal.append("2");
        drop(journal);
        let file = OpenOptions::new().append(true).open(below.join("mails.jsonl"));
        file.unwrap().write_all(b"{\"torn").unwrap();
        let (journal, lines) = open(&below, 1_000);
        assert_eq!(lines, ["1", "2"]);
        journal.append("3");
        assert_eq!(open(&below, 1_000).1, ["1", "2", "3"]);
        journal.forget();
        assert!(open(&below, 1_000).1.is_empty());
    }

    #[test]
    fn the_oldest_lines_are_dropped_beyond_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = open(directory.path(), 100);
        for number in 0..100 {
            journal.append(&format!("{number:09}"));
        }
        let (_, lines) = open(directory.path(), 100);
        assert_eq!(lines.last().map(String::as_str), Some("000000099"));
        assert!((5..=10).contains(&lines.len()), "{lines:?}");
        let names = std::fs::read_dir(directory.path()).unwrap();
        let bytes: u64 = names.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes <= 100, "{bytes}");
    }
}
