//! The crate against a DynamoDB that runs in this process.

// The attribute is redundant here, but tells clippy that helpers are test code too.
#[cfg(test)]
mod claims;
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod transactions;
