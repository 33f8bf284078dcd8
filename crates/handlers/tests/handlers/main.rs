//! Tests of handlers against an in-process AWS, run by a real consumer on a real queue.

// The attributes are redundant here, but make clippy treat helpers as test code too.
#[cfg(test)]
mod claims;
#[cfg(test)]
mod contention;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod rewards;
