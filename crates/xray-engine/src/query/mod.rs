//! What can be read from stored traces.

mod graph;
mod search;
mod series;
mod statistics;
pub(crate) mod summary;

pub(crate) use self::graph::Graph;
pub(crate) use self::search::{Search, TraceTime};
pub(crate) use self::series::Series;
