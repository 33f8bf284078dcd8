//! What a consumer reports while it runs.

/// Whether messages come in, for a readiness check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Receiving works.
    Up,
    /// It does not, or pauses.
    Down {
        /// Why.
        reason: String,
    },
}

/// Where readiness is reported to.
pub(crate) type OnHealth = Box<dyn Fn(Readiness) + Send + Sync>;

/// Where it is reported whether messages are in flight.
pub(crate) type OnWork = Box<dyn Fn(bool) + Send + Sync>;
