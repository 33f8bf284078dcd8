//! Taking in spans and documents.

mod intake;
pub(crate) mod otlp;

pub(crate) use self::intake::Intake;
pub use self::intake::Rejected;
