//! A trace as a tree in the terminal, and as a picture.

mod build;
mod deliveries;
mod next;
mod sheet;
mod timeline;

use xray::{Segment, Trace};

use crate::style::Style;

/// Whether every parent is present, and every segment has ended that ever will.
pub(crate) fn is_closed(trace: &Trace) -> bool {
    let pending =
        |segment: &Segment| segment.is_in_progress() && deliveries::never_finished(trace, segment).is_none();
    trace.problems().is_empty() && !trace.nodes().any(|node| pending(node.segment()))
}

/// Draws the trace as text that ends in a line break.
pub(crate) fn draw(trace: &Trace, style: Style) -> String {
    build::sheet(trace, now()).draw(style)
}

/// Draws the trace as an SVG document.
pub(crate) fn svg(trace: &Trace) -> String {
    build::sheet(trace, now()).timeline()
}

fn now() -> f64 {
    jiff::Timestamp::now().as_duration().as_secs_f64()
}
