//! What is measured, a file for each section.

mod backlog;
mod chain;
mod consumers;
mod micro;
mod publisher;
mod start;
mod xray;

use crate::arguments::{Arguments, Section};
use crate::outcome::Outcome;

/// Returns the heading of a section.
pub(crate) fn title(section: Section) -> &'static str {
    match section {
        Section::Consumers => "Consumers",
        Section::Backlog => "Consumers of long queues",
        Section::Publisher => "Publisher",
        Section::Chain => "The chain through the layer",
        Section::Micro => "What an event passes through",
        Section::Xray => "The local X-Ray",
        Section::Start => "From the start until ready",
    }
}

/// Measures a section.
///
/// # Errors
/// When a program cannot be started or built, or fails.
pub(crate) async fn measure(section: Section, arguments: &Arguments) -> anyhow::Result<Outcome> {
    match section {
        Section::Consumers => consumers::measure(arguments).await,
        Section::Backlog => backlog::measure(arguments).await,
        Section::Publisher => publisher::measure(arguments).await,
        Section::Chain => chain::measure(arguments).await,
        Section::Micro => micro::measure(arguments).await,
        Section::Xray => xray::measure(arguments).await,
        Section::Start => start::measure(arguments).await,
    }
}
