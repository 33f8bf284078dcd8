//! Tests of the crate against a DynamoDB that runs in this process.

// The attributes are redundant here, but make clippy treat helpers as test code too.
#[cfg(test)]
mod claims;
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod transactions;
