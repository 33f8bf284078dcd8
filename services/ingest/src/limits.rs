//! What one request may carry.

/// The most bytes a body may have.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The most bytes that a request's line and headers may have together.
pub(crate) const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most events that one request may carry.
pub(crate) const MAX_EVENTS: usize = 500;
