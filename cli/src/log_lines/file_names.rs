//! The names of log files.

/// The extension of log files, which hold one JSON object per line.
pub(crate) const EXTENSION: &str = "jsonl";
