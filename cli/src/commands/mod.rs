//! The commands, one module each: its arguments, its help, and what it does.

#[cfg(feature = "local")]
pub(crate) mod cloud;
pub(crate) mod dead_letters;
#[cfg(feature = "local")]
pub(crate) mod faults;
pub(crate) mod logs;
#[cfg(feature = "local")]
pub(crate) mod mail;
#[cfg(feature = "local")]
pub(crate) mod new;
#[cfg(feature = "local")]
pub(crate) mod provision;
pub(crate) mod send;
pub(crate) mod service;
#[cfg(feature = "local")]
pub(crate) mod synth;
pub(crate) mod trace;
#[cfg(feature = "local")]
pub(crate) mod traffic;
#[cfg(feature = "local")]
pub(crate) mod up;
#[cfg(feature = "local")]
pub(crate) mod verify;
