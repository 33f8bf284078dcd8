//! Log lines: one JSON object a line, as every service writes them, and how people read them.

#[cfg(feature = "local")]
mod capture;
#[cfg(feature = "local")]
mod file;
#[cfg(feature = "local")]
mod install;
mod line;
mod render;
mod select;

#[cfg(feature = "local")]
pub(crate) use file::{BoundedLines, LogFile};
#[cfg(feature = "local")]
pub(crate) use install::{install, to_standard_error};
pub(crate) use line::Line;
pub(crate) use render::Renderer;
pub(crate) use select::{Record, Wanted, select};

/// Where `up` keeps the log files and `logs` looks for them.
pub(crate) const DEFAULT_DIRECTORY: &str = ".foostore/logs";
/// The extension of log files: one JSON object a line.
pub(crate) const EXTENSION: &str = "jsonl";
