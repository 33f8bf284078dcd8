//! A client whose calls pass the SDK's machinery by, once one of them has shown the way.

mod attempt;
mod client;
mod operation;
mod resumed;

pub use client::DirectClient;
pub use operation::{Operation, SdkCall, SdkClient};
