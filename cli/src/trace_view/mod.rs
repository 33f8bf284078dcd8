//! A trace as a tree in the terminal.

mod build;
mod sheet;

use xray::Trace;

use crate::style::Style;

/// Whether every segment has ended and every parent is present.
pub(crate) fn is_closed(trace: &Trace) -> bool {
    trace.problems().is_empty() && trace.nodes().all(|node| !node.segment().is_in_progress())
}

/// Draws the trace as text that ends in a line break.
pub(crate) fn draw(trace: &Trace, style: Style) -> String {
    build::sheet(trace).draw(style)
}
