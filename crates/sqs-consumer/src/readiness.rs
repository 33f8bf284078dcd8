//! The reports of a running consumer.

/// Whether messages are being received, for a readiness check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Receiving works.
    Up,
    /// Receiving fails or pauses.
    Down {
        /// The reason.
        reason: String,
    },
}

/// The callback for readiness.
pub(crate) type OnHealth = Box<dyn Fn(Readiness) + Send + Sync>;

/// The callback for whether messages are in flight.
pub(crate) type OnWork = Box<dyn Fn(bool) + Send + Sync>;
