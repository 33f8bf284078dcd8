//! Membership.
pub mod domain;
