//! The place and the names that every check works with.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::full::Full;
use super::inbox::Inbox;
use crate::place::Place;

/// The scratch resources as a check uses them.
#[derive(Debug, Clone)]
pub(super) struct Bench {
    pub(super) place: Place,
    /// First part of each physical name.
    pub(super) name: String,
    /// The sender of the mail, if there is a verified one.
    pub(super) sender: Option<String>,
    /// What a full run creates beside the scratch stack.
    pub(super) full: Option<Arc<Full>>,
    /// The longest wait for something to arrive.
    pub(super) wait: Duration,
}

impl Bench {
    /// Opens the queue of one of the scratch services.
    pub(super) async fn inbox(&self, service: &str) -> anyhow::Result<Inbox> {
        Inbox::open(&self.place, &self.physical(service)).await
    }

    pub(super) fn physical(&self, logical: &str) -> String {
        format!("{}-{logical}", self.name)
    }

    /// Describes something that did not arrive in time.
    pub(super) fn too_late(&self, what: &str) -> String {
        format!("{what} within {} s", self.wait.as_secs())
    }
}

/// Returns a text that occurs in one message only.
pub(super) fn mark() -> String {
    Uuid::new_v4().to_string()
}
