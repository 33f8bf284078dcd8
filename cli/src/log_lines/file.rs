//! The log files of one service, which are bounded, and a line reader with bounded memory for the service's output.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use super::file_names::EXTENSION;

/// The longest line kept; a longer one is truncated and marked.
const LONGEST: usize = 64 * 1024;

/// The limit of one file. A full one takes the place of the older one, so that a run keeps at least this much.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// Returns the path of `service`'s newest log file.
fn path(directory: &Path, service: &str) -> PathBuf {
    directory.join(service).with_extension(EXTENSION)
}

/// Returns the path of the file with the lines before those in the newest one.
fn older(directory: &Path, service: &str) -> PathBuf {
    directory.join(format!("{service}.older.{EXTENSION}"))
}

/// The log files of a service in the newest run. Clones append to the same file, whole lines at a time.
#[derive(Debug, Clone)]
pub(crate) struct LogFile(Arc<Mutex<Rotating>>);

#[derive(Debug)]
struct Rotating {
    file: File,
    bytes: u64,
    limit: u64,
    path: PathBuf,
    older: PathBuf,
}

impl LogFile {
    /// Creates (or empties) the file of `service` in `directory`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub(crate) fn create(directory: &Path, service: &str) -> io::Result<Self> {
        Self::with_limit(directory, service, LARGEST_FILE)
    }

    fn with_limit(directory: &Path, service: &str, limit: u64) -> io::Result<Self> {
        let (path, older) = (path(directory, service), older(directory, service));
        let file = File::create(&path)?;
        match std::fs::remove_file(&older) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self(Arc::new(Mutex::new(Rotating { file, bytes: 0, limit, path, older }))))
    }

    /// Appends lines, in one write, so that a reader sees whole lines.
    ///
    /// # Errors
    /// When the lines cannot be written.
    pub(crate) fn append(&self, lines: &[impl AsRef<str>]) -> io::Result<()> {
        let mut text = String::with_capacity(lines.iter().map(|line| line.as_ref().len() + 1).sum());
        for line in lines {
            text.push_str(line.as_ref());
            text.push('\n');
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).append(text.as_bytes())
    }
}

impl Rotating {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let length = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.bytes > 0 && self.bytes.saturating_add(length) > self.limit {
            std::fs::rename(&self.path, &self.older)?;
            self.file = File::create(&self.path)?;
            self.bytes = 0;
        }
        self.file.write_all(lines)?;
        self.bytes += length;
        Ok(())
    }
}

/// Reads lines of at most [`LONGEST`] bytes; a longer one is truncated and marked.
#[derive(Debug)]
pub(crate) struct BoundedLines<R> {
    reader: BufReader<R>,
}

impl<R: AsyncRead + Unpin> BoundedLines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader) }
    }

    /// Waits for a line and returns it with those that came with it, or none at the end.
    ///
    /// # Errors
    /// When the output cannot be read.
    pub(crate) async fn next_group(&mut self) -> io::Result<Vec<String>> {
        let mut lines: Vec<_> = self.next().await?.into_iter().collect();
        while !lines.is_empty()
            && self.reader.buffer().contains(&b'\n')
            && let Some(line) = self.next().await?
        {
            lines.push(line);
        }
        Ok(lines)
    }

    /// Returns the next line without its line break, or `None` at the end. Replaces bytes that are not UTF-8.
    ///
    /// # Errors
    /// When the output cannot be read.
    async fn next(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut cut = 0_usize;
        let mut any = false;
        loop {
            // The buffer's borrow must end before `consume`, hence the block.
            let (used, ended) = {
                let buffer = self.reader.fill_buf().await?;
                if buffer.is_empty() {
                    if !any {
                        return Ok(None);
                    }
                    (0, true)
                } else {
                    any = true;
                    let end = buffer.iter().position(|byte| *byte == b'\n');
                    let part = &buffer[..end.unwrap_or(buffer.len())];
                    // The rest of an overlong line is read and counted, but not kept, so memory stays bounded.
                    let kept = part.len().min(LONGEST - line.len());
                    line.extend_from_slice(&part[..kept]);
                    cut += part.len() - kept;
                    (part.len() + usize::from(end.is_some()), end.is_some())
                }
            };
            self.reader.consume(used);
            if ended {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                let mut text = String::from_utf8_lossy(&line).into_owned();
                if cut > 0 {
                    let remark = format!(" … {cut} bytes cut");
                    text.push_str(&remark);
                }
                return Ok(Some(text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn lines_end_at_breaks_and_at_the_end() {
        let mut lines = BoundedLines::new(&b"one\r\n\ntwo"[..]);
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("one"));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some(""));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("two"));
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_long_line_is_cut_and_the_next_one_whole() {
        let input = format!("{}\nnext\n", "x".repeat(LONGEST + 10));
        let mut lines = BoundedLines::new(input.as_bytes());
        let cut = lines.next().await.unwrap().unwrap();
        assert!(cut.ends_with("x … 10 bytes cut"), "{}", &cut[cut.len() - 30..]);
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("next"));
    }

    #[tokio::test]
    async fn lines_that_came_together_are_one_group() {
        let (mut service, output) = tokio::io::duplex(1024);
        let mut lines = BoundedLines::new(output);
        service.write_all(b"one\ntwo\nthr").await.unwrap();
        assert_eq!(lines.next_group().await.unwrap(), ["one", "two"]);
        service.write_all(b"ee\n").await.unwrap();
        assert_eq!(lines.next_group().await.unwrap(), ["three"]);
        service.write_all(b"last").await.unwrap();
        drop(service);
        assert_eq!(lines.next_group().await.unwrap(), ["last"]);
        assert!(lines.next_group().await.unwrap().is_empty());
    }

    #[test]
    fn a_run_starts_with_an_empty_file() {
        let directory = tempfile::tempdir().unwrap();
        LogFile::create(directory.path(), "email").unwrap().append(&["old"]).unwrap();
        let file = LogFile::create(directory.path(), "email").unwrap();
        file.append(&["{}"]).unwrap();
        file.clone().append(&["{\"a\":1}"]).unwrap();
        let text = std::fs::read_to_string(path(directory.path(), "email")).unwrap();
        assert_eq!(text, "{}\n{\"a\":1}\n");
    }

    #[test]
    fn a_long_run_keeps_its_newest_lines() {
        let directory = tempfile::tempdir().unwrap();
        let create = || LogFile::with_limit(directory.path(), "email", 100).unwrap();
        let file = create();
        for number in 0..100 {
            file.append(&[format!("{number:09}")]).unwrap();
        }
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let newest = read(path(directory.path(), "email"));
        let older_lines = read(older(directory.path(), "email"));
        assert!(newest.ends_with("000000099\n") && newest.len() <= 100, "{newest}");
        assert!((100 - newest.len()..=100).contains(&older_lines.len()), "{older_lines}");

        create().append(&["next run"]).unwrap();
        assert_eq!(read(path(directory.path(), "email")), "next run\n");
        assert_eq!(read(older(directory.path(), "email")), "");
    }
}
