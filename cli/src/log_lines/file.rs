//! The log file of one service, and a line reader with bounded memory for the service's output.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

use super::file_names::EXTENSION;

/// The longest line kept; a longer one is truncated and marked.
const LONGEST: usize = 64 * 1024;

/// Returns the path of `service`'s log file.
fn path(directory: &Path, service: &str) -> PathBuf {
    directory.join(service).with_extension(EXTENSION)
}

/// The log file of a service in the newest run. Clones append to the same file, a line at a time.
#[derive(Debug, Clone)]
pub(crate) struct LogFile(Arc<Mutex<File>>);

impl LogFile {
    /// Creates (or empties) the file of `service` in `directory`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub(crate) fn create(directory: &Path, service: &str) -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(File::create(path(directory, service))?))))
    }

    /// Appends one line, in one write, so that a reader sees whole lines.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub(crate) fn append(&self, line: &str) -> io::Result<()> {
        let mut text = String::with_capacity(line.len() + 1);
        text.push_str(line);
        text.push('\n');
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes())
    }
}

/// Reads lines of at most [`LONGEST`] bytes; a longer one is truncated and marked.
#[derive(Debug)]
pub(crate) struct BoundedLines<R> {
    reader: R,
}

impl<R: AsyncBufRead + Unpin> BoundedLines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader }
    }

    /// Returns the next line without its line break, or `None` at the end. Replaces bytes that are not UTF-8.
    ///
    /// # Errors
    /// When the output cannot be read.
    pub(crate) async fn next(&mut self) -> io::Result<Option<String>> {
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

    #[test]
    fn a_run_starts_with_an_empty_file() {
        let directory = tempfile::tempdir().unwrap();
        LogFile::create(directory.path(), "email").unwrap().append("old").unwrap();
        let file = LogFile::create(directory.path(), "email").unwrap();
        file.append("{}").unwrap();
        file.clone().append("{\"a\":1}").unwrap();
        let text = std::fs::read_to_string(path(directory.path(), "email")).unwrap();
        assert_eq!(text, "{}\n{\"a\":1}\n");
    }
}
