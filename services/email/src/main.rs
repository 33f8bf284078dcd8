//! The email service.
fn main() {}
