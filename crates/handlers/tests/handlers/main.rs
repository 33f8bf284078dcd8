//! Handlers against AWS in this process, run by a real consumer on a real queue.

// The attribute is redundant here, but tells clippy that helpers are test code too.
#[cfg(test)]
mod claims;
#[cfg(test)]
mod contention;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod rewards;
