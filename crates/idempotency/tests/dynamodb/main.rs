//! The crate against a DynamoDB that runs in this process.

mod claims;
mod cloud;
mod transactions;
