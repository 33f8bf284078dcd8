//! What can be read from stored traces.

mod graph;
mod series;
mod statistics;
pub(crate) mod summary;

pub(crate) use self::graph::Graph;
pub(crate) use self::series::Series;
