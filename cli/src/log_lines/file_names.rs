//! Where log files are, and what they are called.

/// Where `up` keeps the log files and `logs` looks for them.
pub(crate) const DEFAULT_DIRECTORY: &str = ".foostore/logs";
/// The extension of log files: one JSON object a line.
pub(crate) const EXTENSION: &str = "jsonl";
