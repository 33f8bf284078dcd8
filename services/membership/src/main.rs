//! The membership service.
fn main() {}
