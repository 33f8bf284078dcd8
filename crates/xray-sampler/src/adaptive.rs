//! Adaptive sampling: traces that turn out to be anomalous are recorded although no rule sampled them.

mod capture;
mod condition;
mod config;
mod held;

pub use self::capture::Capture;
pub use self::config::{AdaptiveSampling, InvalidAdaptiveSampling};
