//! The notifier service.
fn main() {}
