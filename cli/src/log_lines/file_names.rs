//! The place and names of log files.

/// Where `up` keeps the log files and `logs` looks for them.
pub(crate) const DEFAULT_DIRECTORY: &str = ".foostore/logs";
/// The extension of log files, which hold one JSON object per line.
pub(crate) const EXTENSION: &str = "jsonl";
