//! Standard output for a command's result, standard error for remarks about it.

use std::io;

/// Writes `text` in a single call, followed by a line break.
///
/// # Errors
/// When the stream cannot be written.
pub(crate) fn write(mut out: impl io::Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Writes a command's result to standard output. A reader that closed the pipe early (`| head`) is not an error.
///
/// # Errors
/// When standard output cannot be written for another reason.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match write(io::stdout().lock(), text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a remark for people to standard error, where it does not mix with the result.
pub(crate) fn remark(text: &str) {
    // If standard error is closed, there is nowhere to report that.
    drop(write(io::stderr().lock(), text));
}
