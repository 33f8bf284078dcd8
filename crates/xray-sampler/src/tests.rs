//! Tests of the whole crate, and what all tests share.

mod elsewhere;
mod over_http;
pub(crate) mod support;
pub(crate) mod xray;
