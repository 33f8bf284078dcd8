//! Taking in spans and documents.

pub(crate) mod grpc;
mod intake;
pub(crate) mod otlp;

pub(crate) use self::intake::Intake;
pub use self::intake::Rejected;

/// The largest OTLP request accepted, in bytes.
const MAX_REQUEST: usize = 16 * 1024 * 1024;
