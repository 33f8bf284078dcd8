//! The checks, in groups that use separate resources and run concurrently.

mod alarms;
mod bus;
mod direct;
mod emf;
mod header;
mod key;
mod mail;
mod pipe;
mod redrive;
mod requests;
mod rollback;
mod topic;
mod undelivered;
mod xray;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::assumptions;
use super::bench::Bench;
use super::finding::Finding;

type Check = Pin<Box<dyn Future<Output = Vec<Finding>> + Send>>;
type Group = fn(Arc<Bench>) -> Check;

const GROUPS: [Group; 11] = [
    |bench| Box::pin(async move { pipe::check(&bench).await }),
    |bench| Box::pin(async move { bus::check(&bench).await }),
    |bench| Box::pin(async move { direct::check(&bench).await }),
    |bench| Box::pin(async move { topic::check(&bench).await }),
    |bench| Box::pin(async move { redrive::check(&bench).await }),
    |bench| Box::pin(async move { mail::check(&bench).await }),
    |bench| Box::pin(async move { xray::check(&bench).await }),
    |bench| Box::pin(async move { key::check(&bench).await }),
    |bench| Box::pin(async move { alarms::check(&bench).await }),
    |bench| Box::pin(async move { rollback::check(&bench).await }),
    |bench| Box::pin(async move { emf::check(&bench).await }),
];

/// Runs every check. Adds to `findings` as they are made, so that they remain if this is cancelled.
pub(super) async fn run(bench: Bench, findings: &mut Vec<Finding>) {
    let bench = Arc::new(bench);
    let mut groups: JoinSet<Vec<Finding>> = GROUPS.iter().map(|group| group(Arc::clone(&bench))).collect();
    while let Some(done) = groups.join_next().await {
        // A group that panicked has no findings; `complete` reports that.
        findings.extend(done.unwrap_or_default());
    }
}

/// Returns a finding for each assumption, in the order of the document, with the reason `why` where none was made.
pub(super) fn complete(findings: &[Finding], why: &str, full: bool) -> Vec<Finding> {
    assumptions::of_run(full)
        .map(|assumption| {
            let found = findings.iter().find(|finding| finding.name == assumption.name);
            found.cloned().unwrap_or_else(|| Finding::inconclusive(assumption.name, why))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_finding_is_inconclusive() {
        let made = [Finding::holds(assumptions::TRACE_DESTINATION, "XRay")];
        let findings = complete(&made, "interrupted", false);
        assert_eq!(findings.len(), assumptions::ALL.len());
        assert_eq!(findings.last(), made.last());
        assert_eq!(findings[0], Finding::inconclusive(assumptions::ALL[0].name, "interrupted"));
        let full = complete(&made, "interrupted", true);
        assert_eq!(full.len(), findings.len() + assumptions::FULL.len());
    }
}
