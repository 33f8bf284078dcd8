//! The checks, in groups that do not touch each other's resources and run at the same time.

mod bus;
mod header;
mod pipe;
mod redrive;
mod topic;
mod xray;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use uuid::Uuid;

use super::assumptions;
use super::finding::Finding;
use super::inbox::Inbox;
use super::place::Place;

/// What a check works with.
#[derive(Debug, Clone)]
pub(super) struct Bench {
    pub(super) place: Place,
    /// First part of each physical name.
    pub(super) name: String,
    /// How long something is waited for.
    pub(super) wait: Duration,
}

impl Bench {
    /// The queue of a service of the scratch resources.
    async fn inbox(&self, service: &str) -> anyhow::Result<Inbox> {
        Inbox::open(&self.place, &self.physical(service)).await
    }

    fn physical(&self, logical: &str) -> String {
        format!("{}-{logical}", self.name)
    }

    /// What to say of something that did not come.
    fn too_late(&self, what: &str) -> String {
        format!("{what} within {} s", self.wait.as_secs())
    }
}

/// A text found in one message only.
fn mark() -> String {
    Uuid::new_v4().to_string()
}

type Check = Pin<Box<dyn Future<Output = Vec<Finding>> + Send>>;
type Group = fn(Arc<Bench>) -> Check;

const GROUPS: [Group; 5] = [
    |bench| Box::pin(async move { pipe::check(&bench).await }),
    |bench| Box::pin(async move { bus::check(&bench).await }),
    |bench| Box::pin(async move { topic::check(&bench).await }),
    |bench| Box::pin(async move { redrive::check(&bench).await }),
    |bench| Box::pin(async move { xray::check(&bench).await }),
];

/// Runs every check; `findings` grows as they are made, so that those made stay when this is dropped.
pub(super) async fn run(bench: Bench, findings: &mut Vec<Finding>) {
    let bench = Arc::new(bench);
    let mut groups: JoinSet<Vec<Finding>> = GROUPS.iter().map(|group| group(Arc::clone(&bench))).collect();
    while let Some(done) = groups.join_next().await {
        // A group that panicked has none: it is told as such in the end.
        findings.extend(done.unwrap_or_default());
    }
}

/// A finding for each assumption, in the order of the document; `why` where none was made.
pub(super) fn complete(findings: &[Finding], why: &str) -> Vec<Finding> {
    assumptions::ALL
        .iter()
        .map(|assumption| {
            let found = findings.iter().find(|finding| finding.name == assumption.name);
            found.cloned().unwrap_or_else(|| Finding::could_not_be_told(assumption.name, why))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_checked_could_not_be_told() {
        let made = [Finding::holds(assumptions::TRACE_DESTINATION, "XRay")];
        let findings = complete(&made, "interrupted");
        assert_eq!(findings.len(), assumptions::ALL.len());
        assert_eq!(findings.last(), made.last());
        assert_eq!(findings[0], Finding::could_not_be_told(assumptions::ALL[0].name, "interrupted"));
    }
}
