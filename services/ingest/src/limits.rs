//! What one request may carry.

/// The most bytes a body may have.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The most bytes an event may have, many times what one needs.
pub(crate) const MAX_EVENT_BYTES: usize = 16 * 1024;

/// The most wrong fields that are named in an answer.
pub(crate) const MAX_ERRORS: usize = 50;

/// The most bytes that a request's line and headers may have together.
pub(crate) const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most events that one request may carry.
pub(crate) const MAX_EVENTS: usize = 500;
