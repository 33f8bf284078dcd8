//! Log lines: the JSON objects that every service writes, and their form for people.

#[cfg(feature = "local")]
mod capture;
#[cfg(feature = "local")]
mod file;
mod file_names;
mod followed;
#[cfg(feature = "local")]
mod install;
mod line;
mod prefixed;
mod render;
mod select;

#[cfg(feature = "local")]
pub(crate) use file::{BoundedLines, LogFile};
pub(crate) use followed::LogFiles;
#[cfg(feature = "local")]
pub(crate) use install::{install, to_standard_error};
pub(crate) use line::Line;
pub(crate) use prefixed::prefixed;
pub(crate) use render::Renderer;
pub(crate) use select::{EVENT_FIELDS, Filters, Record, Selection};
