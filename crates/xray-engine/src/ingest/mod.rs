//! Taking in spans and documents.

mod documents;
pub(crate) mod otlp;
mod spans;

pub(crate) use self::documents::put;
pub use self::spans::Rejected;
pub(crate) use self::spans::record;
