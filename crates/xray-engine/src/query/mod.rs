//! What can be read from stored traces.

mod search;
pub(crate) mod summary;

pub(crate) use self::search::{Search, TraceTime};
