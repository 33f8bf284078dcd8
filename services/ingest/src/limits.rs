//! What one request may carry.

/// The most bytes a body may have.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The most events that one request may carry.
pub(crate) const MAX_EVENTS: usize = 500;
