//! Tests of the whole, and what all tests share.

mod elsewhere;
mod over_http;
pub(crate) mod support;
pub(crate) mod xray;
