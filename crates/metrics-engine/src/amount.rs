//! What is measured: a number or a histogram.

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A sum that only rises.
    Counter,
    /// A sum that rises and falls.
    UpDownCounter,
    /// A value at a moment, which cannot be added up.
    Gauge,
    /// A histogram with bounds.
    Histogram,
    /// A histogram whose bounds follow the values.
    ExponentialHistogram,
}

impl Kind {
    /// Whether what a process has counted remains when it ends.
    pub(crate) fn outlasts_its_process(self) -> bool {
        !matches!(self, Self::Gauge | Self::UpDownCounter)
    }
}

/// A value, or the total of several.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Amount {
    Number(f64),
    Histogram(Histogram),
}

impl Amount {
    /// Adds another amount of the same kind.
    pub(crate) fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Number(own), Self::Number(other)) => *own += other,
            (Self::Histogram(own), Self::Histogram(other)) => own.add(other),
            // The kind is part of a series' identity.
            (Self::Number(_), Self::Histogram(_)) | (Self::Histogram(_), Self::Number(_)) => {}
        }
    }

    /// Returns the number itself, or how many values a histogram has.
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^53, for a rate")]
    pub(crate) fn size(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Histogram(histogram) => histogram.count as f64,
        }
    }
}
