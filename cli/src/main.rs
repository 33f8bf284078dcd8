//! The command line of FooStore.
fn main() {}
